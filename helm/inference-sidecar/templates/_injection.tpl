{{/*
What is added to a pod, with %names% where pods differ: the webhook reads it as it is, the policy turns it to CEL.
A name is always a whole text:

  %upstream%    127.0.0.1:8000, or empty with redirect       %redirect%    "true" with redirect, else empty
  %configFile%  /etc/inference-sidecar/sidecar.yaml for a pod with the annotation config, else empty
  %configMap%   the annotation config, else inference-sidecar (optional, so it need not be there)
  %modelPort%   the model server's number, as text

The order: `volumes` at the end of the pod's; with redirect `redirectContainer`, then `containers`, at the end of the
init containers; without `native`, `containers` at the end of the containers. policy.yaml is the model to follow.
*/}}
{{- define "inference-sidecar.injection" -}}
{{- $places := dict "context" . "upstream" "%upstream%" "redirect" "%redirect%" "config" "%configFile%" -}}
interception: {{ .Values.injection.interception }}
redirectEnabled: {{ .Values.injection.redirect.enabled }}
native: {{ .Values.sidecar.native }}
{{- /* Before 1.30 the API server drops the field, and refuses the empty hook that is left. */}}
preStopSleepSeconds: {{ ternary .Values.injection.preStopSleepSeconds 0 (semverCompare ">=1.30.0-0" .Capabilities.KubeVersion.Version) }}
ports:
  {{- toYaml .Values.sidecar.ports | nindent 2 }}
containers:
  {{- include "inference-sidecar.containers" $places | nindent 2 }}
redirectContainer:
  {{- include "inference-sidecar.redirectContainer" (dict "context" . "port" "%modelPort%") | nindent 2 }}
volumes:
  {{- include "inference-sidecar.volumes" (dict "context" . "configMap" "%configMap%") | nindent 2 }}
# The API server's selectors leave these out already; the webhook does so too.
excludedNamespaces:
  {{- include "inference-sidecar.excludedNamespaces" . | nindent 2 }}
{{- end -}}
