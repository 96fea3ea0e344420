import { app } from "~/functions";
import { createServerApi } from "~/kit/pages";

/** Calls functions from a server component: `queryClient().prefetchQuery(api.files.list.queryOptions())` */
export const api = createServerApi(app);
