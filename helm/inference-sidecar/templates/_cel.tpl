{{/*
YAML as a CEL literal: what the policy adds to a pod is what the other modes add, written in another notation.

Every value is dyn(…): Kubernetes' CEL refuses maps and lists of mixed types. %NAME% in a text becomes the policy's
variable `name`, which differs from pod to pod.
*/}}
{{- define "inference-sidecar.cel" -}}
{{- if kindIs "map" . -}}
{{ "{" }}{{ range $i, $key := keys . | sortAlpha }}{{ if $i }}, {{ end }}{{ toJson $key }}: dyn({{ include "inference-sidecar.cel" (index $ $key) }}){{ end }}{{ "}" }}
{{- else if kindIs "slice" . -}}
[{{ range $i, $item := . }}{{ if $i }},
  {{ end }}dyn({{ include "inference-sidecar.cel" $item }}){{ end }}]
{{- else if kindIs "string" . -}}
{{- $text := toJson . -}}
{{- range $name := list "upstream" "redirect" "configFile" "configMap" "modelPort" -}}
{{- $text = replace (printf "\"%%%s%%\"" $name) (printf "variables.%s" $name) $text -}}
{{- end -}}
{{ $text }}
{{- else if kindIs "float64" . -}}
{{ int64 . }}
{{- else -}}
{{ toJson . }}
{{- end -}}
{{- end -}}
