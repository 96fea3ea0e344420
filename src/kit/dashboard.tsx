// What src/app/dashboard renders: the pages by which administrators look after an app.

export { Files } from "./dashboard/pages/files/files";
export { Functions } from "./dashboard/pages/functions/functions";
export { Logs } from "./dashboard/pages/logs/logs";
export { DashboardFrame } from "./dashboard/pages/parts/dashboard-page";
export { Schedule } from "./dashboard/pages/schedule/schedule";
