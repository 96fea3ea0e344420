// Functions import this, in addition to the builders of ~/kit. Everything is documented where it is defined.

import "#only-on-the-server";

export type { AccountEmail } from "./auth/account-email";
export type { UserIdentity } from "./auth/identity";
export { requireIdentity } from "./auth/identity";
export type { Issuer } from "./auth/issuers";
export { type App, createKit, type KitOptions } from "./create-kit";
export { type Id, id } from "./database/ids";
export { pageArgs, paginate } from "./database/pagination";
export { parseArgs } from "./functions/args";
export type { ActionCtx, MutationCtx, QueryCtx } from "./functions/context";
export { parseJson, readJson } from "./http/body";
export { HttpError } from "./http/error-response";
export { fetchPublic } from "./http/fetch-public";
export type { HttpAction } from "./http/http-router";
export { cors, httpRouter, pathSuffix } from "./http/http-router";
export { type FormPart, type MultipartBody, multipartBody } from "./http/multipart-body";
export { cronJobs } from "./jobs/crons";
export { upkeep } from "./jobs/housekeeping";
export { type JobResult, jobResult, type ScheduledFunctionDocument } from "./jobs/rows";
export type { JobOptions, Scheduler } from "./jobs/scheduler";
export { limits } from "./process/limits";
export { createPlaces } from "./process/places";
export { processWide } from "./process/process-wide";
export { storageId } from "./storage/file";
export { dispositionOf, parseDigests } from "./storage/headers";
export { editImage, imageTypes, inImageTurn, isImageType, refuseTooManyPixels } from "./storage/images";
export type { StoredImage } from "./storage/storage";
