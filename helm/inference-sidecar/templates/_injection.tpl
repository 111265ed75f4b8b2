{{/*
What is added to a pod, with %names% where pods differ: the webhook reads it as it is, the policy turns it to CEL.
A test holds that both give the same pods.
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
{{- end -}}
