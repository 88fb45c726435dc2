# A supernode: docker build -f packaging/relay.Dockerfile -t kith-relay .
FROM node:20-bookworm-slim AS build
WORKDIR /kith
COPY . .
RUN npm ci --ignore-scripts && npm run build && npm prune --omit=dev --ignore-scripts

FROM node:20-bookworm-slim
WORKDIR /kith
COPY --from=build /kith/out/relay.mjs out/
COPY --from=build /kith/node_modules node_modules
RUN mkdir /data && chown node:node /data
VOLUME /data
ENV KITH_RELAY_DATA=/data KITH_RELAY_LISTEN=0.0.0.0 KITH_RELAY_STATUS_LISTEN=127.0.0.1:9470
USER node
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:9470/health').then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "out/relay.mjs"]
