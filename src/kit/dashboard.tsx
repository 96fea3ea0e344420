// src/app/dashboard renders these pages, with which administrators look after an app.

export { Files } from "./dashboard/pages/files";
export { Functions } from "./dashboard/pages/functions";
export { Logs } from "./dashboard/pages/logs";
export { DashboardFrame } from "./dashboard/pages/parts";
export { Schedule } from "./dashboard/pages/schedule";
