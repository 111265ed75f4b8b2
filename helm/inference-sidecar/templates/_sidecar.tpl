{{/*
The containers that stand next to a model server, as a list. Policy, webhook and your own chart get the same.

  context   a context of this chart: `.` here, `(index .Subcharts "inference-sidecar")` in a parent chart
  upstream  the model server, as the sidecar reaches it; empty with redirect
  redirect  "true" when iptables takes traffic over, else empty
  config    path of sidecar.yaml in the container, or empty; then mount it (inference-sidecar.volumes)

An empty variable is "not set" to the sidecar, which is why all of them can always be there.
*/}}
{{- define "inference-sidecar.containers" -}}
{{- $values := .context.Values.sidecar -}}
{{- if $values.split }}
- {{ include "inference-sidecar.base" (merge (dict "name" "inference-sidecar-relay" "command" "relay") .) | nindent 2 | trim }}
  ports:
    - {name: inference, containerPort: {{ $values.ports.inference }}, protocol: TCP}
  # The relay has no probe of its own to ask: that it accepts is that it is there.
  startupProbe:
    tcpSocket: {port: inference}
    {{- toYaml $values.probes.startup | nindent 4 }}
  resources:
    {{- toYaml $values.relay.resources | nindent 4 }}
- {{ include "inference-sidecar.base" (merge (dict "name" "inference-sidecar-observe" "command" "observe") .) | nindent 2 | trim }}
  {{- include "inference-sidecar.admin" (dict "values" $values "ports" list) | nindent 2 }}
  resources:
    {{- toYaml $values.observe.resources | nindent 4 }}
{{- else }}
- {{ include "inference-sidecar.base" (merge (dict "name" "inference-sidecar" "command" "run") .) | nindent 2 | trim }}
  {{- $inference := dict "name" "inference" "containerPort" $values.ports.inference "protocol" "TCP" }}
  {{- include "inference-sidecar.admin" (dict "values" $values "ports" (list $inference)) | nindent 2 }}
  resources:
    {{- toYaml $values.resources | nindent 4 }}
{{- end }}
{{- end -}}

{{/* The first of them: the only one, unless sidecar.split. */}}
{{- define "inference-sidecar.container" -}}
{{- include "inference-sidecar.containers" . | fromYamlArray | first | toYaml -}}
{{- end -}}

{{- define "inference-sidecar.base" -}}
{{- $values := .context.Values.sidecar -}}
name: {{ .name }}
image: {{ include "inference-sidecar.image" .context }}
imagePullPolicy: {{ .context.Values.image.pullPolicy }}
args: [{{ .command }}]
{{- if $values.native }}
restartPolicy: Always
{{- end }}
env:
  - {name: SIDECAR_UPSTREAM, value: {{ .upstream | default "" | quote }}}
  - {name: SIDECAR_REDIRECT, value: {{ .redirect | default "" | quote }}}
  - {name: SIDECAR_CONFIG, value: {{ .config | default "" | quote }}}
  - {name: SIDECAR_LISTEN, value: "0.0.0.0:{{ $values.ports.inference }}"}
  - {name: SIDECAR_ADMIN, value: "0.0.0.0:{{ $values.ports.admin }}"}
  {{- if $values.split }}
  - {name: SIDECAR_TEE, value: "unix:/run/inference-sidecar/tee.sock"}
  {{- end }}
  {{- range $variable, $path := dict "SIDECAR_MODEL__NAME" $values.model.nameFrom "SIDECAR_MODEL__OWNER" $values.model.ownerFrom "SIDECAR_MODEL__VERSION" $values.model.versionFrom }}
  {{- with $path }}
  - {name: {{ $variable }}, valueFrom: {fieldRef: {fieldPath: {{ . | quote }}}}}
  {{- end }}
  {{- end }}
  - {name: POD_NAME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
  - {name: POD_NAMESPACE, valueFrom: {fieldRef: {fieldPath: metadata.namespace}}}
  - {name: NODE_NAME, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}
  - {name: CONTAINER_NAME, value: {{ .name }}}
  {{- with $values.env }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
securityContext:
  {{- toYaml $values.securityContext | nindent 2 }}
volumeMounts:
  - {name: inference-sidecar-config, mountPath: /etc/inference-sidecar, readOnly: true}
  # Where something is mounted already, Kubernetes mounts no token of the pod's service account.
  - {name: inference-sidecar-no-token, mountPath: /var/run/secrets/kubernetes.io/serviceaccount, readOnly: true}
  {{- if $values.split }}
  - {name: inference-sidecar-tee, mountPath: /run/inference-sidecar}
  {{- end }}
{{- end -}}

{{/* Ports and probes of the container that has the admin port. `ports`: those before it. */}}
{{- define "inference-sidecar.admin" -}}
{{- $probes := .values.probes -}}
ports:
  {{- range .ports }}
  - {{ toJson . }}
  {{- end }}
  - {name: sidecar-admin, containerPort: {{ .values.ports.admin }}, protocol: TCP}
startupProbe:
  httpGet: {path: /-/healthy, port: sidecar-admin}
  {{- toYaml $probes.startup | nindent 2 }}
livenessProbe:
  httpGet: {path: /-/healthy, port: sidecar-admin}
  {{- toYaml $probes.liveness | nindent 2 }}
readinessProbe:
  httpGet: {path: /-/ready, port: sidecar-admin}
  {{- toYaml $probes.readiness | nindent 2 }}
{{- end -}}

{{/* Their volumes, as a list. `configMap`: with sidecar.yaml; the pod starts without it, too. */}}
{{- define "inference-sidecar.volumes" -}}
- name: inference-sidecar-config
  configMap: {name: {{ .configMap | default "inference-sidecar" | quote }}, optional: true}
- name: inference-sidecar-no-token
  emptyDir: {medium: Memory, sizeLimit: 1Mi}
{{- if .context.Values.sidecar.split }}
# Holds one socket. In memory, so that a full disk of the node is none of its business.
- name: inference-sidecar-tee
  emptyDir: {medium: Memory, sizeLimit: 1Mi}
{{- end }}
{{- end -}}

{{/*
The init container that redirects the model's port to the sidecar. It ends before anything else starts, and what
it set up is gone with the pod. It needs NET_ADMIN and root, only here and only for as long.

  context  as above; port  the model server's port, as text
*/}}
{{- define "inference-sidecar.redirectContainer" -}}
name: inference-sidecar-redirect
image: {{ include "inference-sidecar.redirectImage" .context }}
imagePullPolicy: {{ .context.Values.image.pullPolicy }}
args: [redirect, --port, {{ .port | quote }}, --to, {{ .context.Values.sidecar.ports.inference | quote }}]
securityContext:
  runAsUser: 0
  runAsGroup: 0
  runAsNonRoot: false
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL], add: [NET_ADMIN]}
  seccompProfile: {type: RuntimeDefault}
volumeMounts:
  - {name: inference-sidecar-no-token, mountPath: /var/run/secrets/kubernetes.io/serviceaccount, readOnly: true}
resources:
  requests: {cpu: 10m, memory: 32Mi}
  limits: {memory: 64Mi}
{{- end -}}
