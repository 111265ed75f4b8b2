{{/* Names and labels. Nothing else. */}}

{{- define "inference-sidecar.fullname" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 45 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 45 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Cluster-wide objects carry the namespace too, so that two releases do not meet. */}}
{{- define "inference-sidecar.clusterName" -}}
{{- printf "%s.%s" (include "inference-sidecar.fullname" .) .Release.Namespace | trunc 63 | trimSuffix "-" | trimSuffix "." -}}
{{- end -}}

{{- define "inference-sidecar.labels" -}}
{{ include "inference-sidecar.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: inference-sidecar
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name (.Chart.Version | replace "+" "_") }}
{{- end -}}

{{- define "inference-sidecar.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* For objects of others' kinds: ours, and what their operators look for. */}}
{{- define "inference-sidecar.customLabels" -}}
{{ include "inference-sidecar.labels" . }}
{{- with .Values.additionalLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "inference-sidecar.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{/* The digest is of the other image: this one has its tag only. */}}
{{- define "inference-sidecar.redirectImage" -}}
{{- $repository := .Values.injection.redirect.repository | default (printf "%s-redirect" .Values.image.repository) -}}
{{- printf "%s:%s" $repository (.Values.image.tag | default .Chart.AppVersion) -}}
{{- end -}}

{{- define "inference-sidecar.serviceAccountName" -}}
{{- .Values.webhook.serviceAccount.name | default (printf "%s-webhook" (include "inference-sidecar.fullname" .)) -}}
{{- end -}}

{{/* Every namespace that is never touched: the listed ones and our own. */}}
{{- define "inference-sidecar.excludedNamespaces" -}}
{{- append .Values.injection.excludedNamespaces .Release.Namespace | uniq | sortAlpha | toYaml -}}
{{- end -}}

{{/* Which pods: asked for by a label, not done yet, in a namespace that is open to it. Policy and webhook alike. */}}
{{- define "inference-sidecar.selectors" -}}
namespaceSelector:
  matchExpressions:
    - key: kubernetes.io/metadata.name
      operator: NotIn
      values:
        {{- include "inference-sidecar.excludedNamespaces" . | nindent 8 }}
    - key: inference-sidecar.io/injection
      operator: NotIn
      values: [disabled]
objectSelector:
  matchLabels:
    inference-sidecar.io/inject: "true"
  matchExpressions:
    - key: inference-sidecar.io/injected
      operator: DoesNotExist
{{- end -}}
