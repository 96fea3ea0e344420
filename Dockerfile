# The app as one process of its own. `compose.yaml` runs it with a database and a blob store.
FROM node:22-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY . .
RUN NEXT_OUTPUT=standalone npm run build

FROM node:22-slim
ENV NODE_ENV=production PORT=3000
WORKDIR /app
# Only the disk driver writes here; mount a volume that outlives the container.
RUN mkdir -p .data/storage && chown -R node:node .data
COPY --from=build /app/.next/standalone ./
COPY --from=build /app/.next/static ./.next/static
USER node
EXPOSE 3000
HEALTHCHECK CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT}/api/health`).then(({ ok }) => process.exit(ok ? 0 : 1))"]
# Platforms set HOSTNAME to the container's name, and Next.js would listen at that address alone.
CMD ["env", "HOSTNAME=0.0.0.0", "node", "server.js"]
