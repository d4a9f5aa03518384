# Shortcuts for local development; `make` lists them. What they do is in package.json, setup.sh, demo.sh and test/integration/.
NAMESPACE ?= kube-system
IMAGE ?= custom-scheduler:latest
SANDBOX_IMAGE ?= muster-sandbox:latest
MOCK_IMAGE ?= muster-mock-sandbox:latest
DOCKER ?= docker
KUBECTL ?= kubectl
FLAGS ?=
PROFILE ?=
NODES ?= 3

.DEFAULT_GOAL := help
.PHONY: help setup build programs test coverage start-minikube deploy-scheduler remove-scheduler \
	basic-integration-test priority-integration-test group-integration-test \
	sbom proto docker-build k8s-deploy k8s-remove k8s-demo run-scheduler run-global run-events run-activator run-mock

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "%-28s%s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## install what is needed from the lockfile
	npm ci

programs := muster scheduler global events activator mock-sandbox demo

build: programs ## make the programs, and check the types of everything
	npm run --silent types

programs: $(addprefix bin/,$(programs)) ## make the programs in bin/: launchers, since nothing is compiled

launcher = mkdir -p bin && printf '\#!/bin/sh\nroot=$$(dirname "$$0")/..\nexec "$$root/node_modules/.bin/node" "$$root/extender/cli/muster.ts" $(1)"$$@"\n' > $@ && chmod +x $@

bin/muster: Makefile
	$(call launcher)

bin/mock-sandbox: Makefile
	$(call launcher,sandbox mock )

bin/%: Makefile
	$(call launcher,sandbox $* )

test: ## everything that a change must pass
	npm test

coverage: ## the tests, with an HTML report in coverage/
	npm run coverage

start-minikube: ## start a minikube cluster of NODES nodes (PROFILE=name)
	minikube start --nodes $(NODES) $(if $(PROFILE),-p $(PROFILE))

deploy-scheduler: ## build the image and install it (NAMESPACE, IMAGE, PROFILE)
	./setup.sh $(NAMESPACE) $(IMAGE) $(PROFILE)

remove-scheduler: ## take it out of the cluster again
	./setup.sh --remove $(NAMESPACE) $(IMAGE) $(PROFILE)

basic-integration-test: ## a pod is scheduled, and cleared away
	npm run --silent integration -- basic

priority-integration-test: ## three pods run; one of higher priority evicts one of them
	npm run --silent integration -- priority

group-integration-test: ## a gang that fits is scheduled, one that does not is not
	npm run --silent integration -- group

sbom: ## print what the program is made of, as CycloneDX
	@npm run --silent sbom

proto: ## generate the code of the sandboxes' protocol anew
	cd extender/sandboxes/proto && PATH="$(CURDIR)/node_modules/.bin:$$PATH" sh -c 'buf lint && buf generate'

docker-build: ## build the images of the sandboxes' services and of the mock sandbox (DOCKER=podman)
	$(DOCKER) build -t $(SANDBOX_IMAGE) .
	$(DOCKER) build -t $(MOCK_IMAGE) --target mock-sandbox .

# Docker Desktop shares its images with its cluster; kind and minikube have to be given them.
k8s-deploy: ## deploy the sandboxes' services to the current cluster, into the namespace sandbox
	case "$$($(KUBECTL) config current-context)" in \
	  kind-*) kind load docker-image $(SANDBOX_IMAGE) $(MOCK_IMAGE) --name "$$($(KUBECTL) config current-context | sed s/^kind-//)" ;; \
	  minikube) minikube image load $(SANDBOX_IMAGE) $(MOCK_IMAGE) ;; \
	esac
	$(KUBECTL) apply -k manifests/sandbox
	for part in redis events scheduler global activator; do \
	  $(KUBECTL) -n sandbox rollout status deployment/$$part --timeout=180s || exit 1; \
	done

k8s-remove: ## take them out of the cluster again, with all sandboxes
	$(KUBECTL) delete --ignore-not-found -k manifests/sandbox

demo_pod := {"spec":{"automountServiceAccountToken":false,"securityContext":{"runAsNonRoot":true,"runAsUser":65532,"seccompProfile":{"type":"RuntimeDefault"}},"containers":[{"name":"demo","securityContext":{"allowPrivilegeEscalation":false,"capabilities":{"drop":["ALL"]}}}]}}

k8s-demo: ## run the demo client as a pod of the current cluster (FLAGS='--retain --release')
	$(KUBECTL) -n sandbox run demo --rm --attach --restart=Never --quiet --image=$(SANDBOX_IMAGE) --image-pull-policy=IfNotPresent \
	  --labels=app.kubernetes.io/name=demo,app.kubernetes.io/part-of=muster-sandbox \
	  --override-type=strategic --overrides='$(demo_pod)' \
	  -- sandbox demo --scheduler-host=global.sandbox.svc.cluster.local --scheduler-port=50051 $(FLAGS)

run-scheduler: bin/scheduler ## run the scheduler service here, for the current cluster (FLAGS='--no-redis')
	bin/scheduler $(FLAGS)

run-global: bin/global ## run the global scheduler here
	bin/global $(or $(FLAGS),--cluster local=http://127.0.0.1:50052)

run-events: bin/events ## run the events service here
	bin/events $(FLAGS)

run-activator: bin/activator ## run the activator here, before that scheduler
	bin/activator $(FLAGS)

run-mock: bin/mock-sandbox ## run a mock sandbox here
	bin/mock-sandbox $(FLAGS)
