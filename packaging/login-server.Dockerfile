# The login server: docker build -f packaging/login-server.Dockerfile -t kith-login-server .
FROM node:20-bookworm-slim AS build
WORKDIR /kith
COPY . .
RUN npm ci --ignore-scripts && npm run build && npm prune --omit=dev --ignore-scripts

FROM node:20-bookworm-slim
WORKDIR /kith
COPY --from=build /kith/out/login-server.mjs out/
COPY --from=build /kith/node_modules node_modules
COPY --from=build /kith/packaging/kith-login-server packaging/
RUN ln -s /kith/packaging/kith-login-server /usr/local/bin/kith-login-server && mkdir /data && chown node:node /data
VOLUME /data
ENV KITH_LOGIN_DATA=/data KITH_LOGIN_LISTEN=0.0.0.0 KITH_LOGIN_PORT=7440
USER node
EXPOSE 7440
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:7440/ready').then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["kith-login-server"]
