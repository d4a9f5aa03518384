/** How patient everybody is; short, so that what waits is seen to wait. Milliseconds. */
export const timing = {
  settleMs: 1_000,
  holdTtlMs: 20_000,
  repairMs: 60_000,
  resyncMs: 30_000,
  bindTimeoutMs: 20_000
}
