{{/* The name of what lies in the namespace of the release. */}}
{{- define "authd.name" -}}
{{- if contains "authd" .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-authd" (.Release.Name | trunc 46 | trimSuffix "-") -}}
{{- end -}}
{{- end -}}

{{/* The name of what lies elsewhere: no two releases have the same. */}}
{{- define "authd.fullName" -}}
{{- printf "%s:%s" .Release.Namespace (include "authd.name" .) -}}
{{- end -}}

{{- define "authd.selector" -}}
app.kubernetes.io/name: authd-operator
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "authd.labels" -}}
{{ include "authd.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* The namespaces that are opted in, as a JSON list. */}}
{{- define "authd.namespaces" -}}
{{- .Values.namespaces | default (list .Release.Namespace) | sortAlpha | toJson -}}
{{- end -}}

{{/* An image: (list what it is made of, the version of the chart). */}}
{{- define "authd.image" -}}
{{- $image := index . 0 -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $image.repository $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $image.repository ($image.tag | default (index . 1)) -}}
{{- end -}}
{{- end -}}
