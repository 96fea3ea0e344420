// src/app/dashboard renders these pages, with which administrators look after an app. package.json in ./dashboard says that its
// modules do nothing when they are loaded, so that each page loads its own code only.

export { Api } from "./dashboard/pages/api";
export { Data } from "./dashboard/pages/data";
export { Files } from "./dashboard/pages/files";
export { Functions } from "./dashboard/pages/functions";
export { Health } from "./dashboard/pages/health";
export { Logs } from "./dashboard/pages/logs";
export { Overview } from "./dashboard/pages/overview";
export { DashboardFrame } from "./dashboard/pages/parts";
export { Schedule } from "./dashboard/pages/schedule";
export { Settings } from "./dashboard/pages/settings";
export { Users } from "./dashboard/pages/users";
export { Prefetch } from "./dashboard/prefetch";
