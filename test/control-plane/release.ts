import { pinnedRelease } from './kubernetes-module.ts'

/** The release that this process builds and runs; `TEST_KUBERNETES=1.37.2` chooses another than the pinned one. */
export const release = process.env['TEST_KUBERNETES'] || pinnedRelease
