// What functions import beside the builders of ~/kit. Everything here has its documentation where it is defined.

export type { UserIdentity } from "./auth/identity";
export type { Issuer } from "./auth/issuers";
export { requireIdentity } from "./auth/require-identity";
export { type App, createKit, type KitOptions } from "./create-kit";
export { pageArgs, paginate } from "./database/pagination";
export { parseArgs } from "./functions/args";
export type { ActionCtx, MutationCtx, QueryCtx } from "./functions/context";
export { cors } from "./http/cors";
export { fetchPublic } from "./http/fetch-public";
export type { HttpAction } from "./http/http-action";
export { httpRouter, pathSuffix } from "./http/http-router";
export { readJson } from "./http/read-json";
export { cronJobs } from "./jobs/crons";
export { upkeep } from "./jobs/housekeeping";
export { limits } from "./process/limits";
export { createPlaces } from "./process/places";
export { processWide } from "./process/process-wide";
export { dispositionOf } from "./storage/serve/disposition";
export { storageId } from "./storage/storage-id";
export { parseDigests } from "./storage/upload/upload-headers";
