/** What is running, for those who read logs, metrics and status pages. The same as in package.json (a test compares them). */
export const KITH_VERSION = "0.1.0";
