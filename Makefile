# Shortcuts for local development; `make` lists them. What they do is in package.json, setup.sh and test/integration/.
NAMESPACE ?= kube-system
IMAGE ?= custom-scheduler:latest
PROFILE ?=
NODES ?= 3

.DEFAULT_GOAL := help
.PHONY: help setup build test coverage start-minikube deploy-scheduler remove-scheduler \
	basic-integration-test priority-integration-test group-integration-test

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-28s%s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## install what is needed from the lockfile
	npm ci

build: bin/muster ## check the types and make launchers in bin/ (nothing is compiled)
	npm run --silent types

bin/muster:
	mkdir -p bin
	printf '#!/bin/sh\nroot=$$(dirname "$$0")/..\nexec "$$root/node_modules/.bin/node" "$$root/extender/cli/muster.ts" "$$@"\n' > $@
	chmod +x $@

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
