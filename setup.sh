#!/usr/bin/env bash
# Builds muster's image, brings it into a cluster and installs it there beside a stock kube-scheduler.
#
#   ./setup.sh [--dry-run] [--remove] [namespace] [image] [profile]
#
# namespace  where it runs; default kube-system
# image      its name and tag; default custom-scheduler:latest
# profile    a minikube profile, or the name of a kind cluster; default: whatever kubectl's current context is
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

dry_run=false
remove=false
words=()
for word in "$@"; do
  case $word in
    --dry-run) dry_run=true ;;
    --remove) remove=true ;;
    -h | --help) sed -n '2,9s/^# \{0,1\}//p' "$0"; exit 0 ;;
    -*) echo "setup.sh: unknown option $word; see --help" >&2; exit 2 ;;
    *) words+=("$word") ;;
  esac
done
if [ ${#words[@]} -gt 3 ]; then
  echo "setup.sh: too many words; see --help" >&2
  exit 2
fi
namespace=${words[0]:-kube-system}
image=${words[1]:-custom-scheduler:latest}
profile=${words[2]:-}
if ! [[ $namespace =~ ^[a-z0-9]([-a-z0-9]*[a-z0-9])?$ ]]; then
  echo "setup.sh: $namespace is no name of a namespace" >&2
  exit 2
fi
if ! [[ $image =~ ^[a-z0-9][-a-z0-9._/:@]*$ ]]; then
  echo "setup.sh: $image is no name of an image" >&2
  exit 2
fi

say() { printf '\n== %s\n' "$*"; }
run() {
  printf '+ %s\n' "$*"
  $dry_run || "$@"
}
has() { command -v "$1" >/dev/null 2>&1; }
# The first of these commands that is installed; in a dry run the first one, so that there is something to show.
first() {
  for tool in "$@"; do
    if has "$tool"; then
      echo "$tool"
      return
    fi
  done
  if $dry_run; then
    echo "$1"
    return
  fi
  echo "setup.sh: needs one of: $*" >&2
  exit 1
}

kubectl=$(first kubectl)
context=()
[ -z "$profile" ] || context=(--context "$profile")
kind=false
if [ -n "$profile" ] && ! { has minikube && minikube profile list -o json 2>/dev/null | grep -q "\"Name\":\"$profile\""; }; then
  if has kind && kind get clusters 2>/dev/null | grep -qx "$profile"; then
    kind=true
    context=(--context "kind-$profile")
  fi
fi

# The manifests, for this namespace and this image.
manifests() {
  "$kubectl" kustomize manifests/custom-scheduler |
    sed -e "s|muster-system|$namespace|g" -e "s|image: custom-scheduler:latest|image: $image|"
}

if $remove; then
  say "Removing custom-scheduler from namespace $namespace"
  printf '+ %s kustomize manifests/custom-scheduler | %s %s delete --ignore-not-found -f -\n' "$kubectl" "$kubectl" "${context[*]:-}"
  $dry_run || manifests | "$kubectl" "${context[@]}" delete --ignore-not-found -f -
  exit 0
fi

builder=$(first docker podman)
say "Building $image with $builder"
run "$builder" build -t "$image" .

say "Bringing the image into the cluster"
if $kind; then
  run kind load docker-image "$image" --name "$profile"
elif [ -n "$profile" ] || { has minikube && [ "$("$kubectl" config current-context 2>/dev/null)" = minikube ]; }; then
  run minikube image load "$image" -p "${profile:-minikube}"
else
  echo "The current context is no minikube profile: its nodes must be able to pull $image (Docker Desktop shares its images)."
fi

say "Installing in namespace $namespace"
printf '+ %s create namespace %s (if it is not there)\n' "$kubectl" "$namespace"
if ! $dry_run && ! "$kubectl" "${context[@]}" get namespace "$namespace" >/dev/null 2>&1; then
  "$kubectl" "${context[@]}" create namespace "$namespace"
fi
printf '+ %s kustomize manifests/custom-scheduler | %s %s apply -f -\n' "$kubectl" "$kubectl" "${context[*]:-}"
$dry_run || manifests | "$kubectl" "${context[@]}" apply -f -

say "Waiting until it is ready"
run "$kubectl" "${context[@]}" -n "$namespace" rollout status deployment/custom-scheduler --timeout=180s

say "Done. Try"
echo "  $kubectl apply -f manifests/examples/example-deployments.yaml"
echo "  $kubectl get pods -o wide"
echo "  $kubectl -n $namespace logs -l app=custom-scheduler -c muster"
