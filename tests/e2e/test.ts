/** Browser tests import this. For fixtures of your own, export `test.extend({ … })` instead. */
export { apiOf, expect, test } from "../kit/e2e/test";
