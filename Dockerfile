# muster as an image: `docker build -t custom-scheduler:latest .` (or podman). What must not change under one name is
# given by its digest, that of the day when it was looked at:
#   --build-arg NODE_IMAGE=docker.io/library/node:24-bookworm-slim@sha256:…
# test/image.test.ts runs these steps as plain commands: what a COPY does not name is not there when muster runs.
ARG NODE_IMAGE=docker.io/library/node:24-bookworm-slim

FROM ${NODE_IMAGE} AS packages
WORKDIR /muster
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --ignore-scripts

FROM ${NODE_IMAGE} AS muster
# Nothing in the result installs anything.
RUN rm -rf /usr/local/lib/node_modules /usr/local/bin/npm /usr/local/bin/npx /usr/local/bin/corepack /opt/yarn-*
WORKDIR /muster
COPY --from=packages /muster/node_modules node_modules
COPY package.json LICENSE ./
COPY policies policies
COPY extender extender
USER 65532:65532
ENTRYPOINT ["node", "extender/cli/muster.ts"]
CMD ["serve"]

# `docker build --target mock-sandbox`: what sandboxes run where nothing better is configured.
FROM muster AS mock-sandbox
EXPOSE 8080
ENTRYPOINT ["node", "extender/cli/muster.ts", "sandbox", "mock", "--host", "0.0.0.0"]
CMD []

FROM muster
