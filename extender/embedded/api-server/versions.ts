/** The version of Kubernetes that this API is like. */
export const gitVersion = 'v1.36.3'

/** What `GET /version` answers. */
export const versionInfo = {
  major: '1',
  minor: '36',
  gitVersion,
  gitCommit: '',
  gitTreeState: 'clean',
  buildDate: '1970-01-01T00:00:00Z',
  goVersion: '',
  compiler: 'gc',
  platform: `${process.platform}/${process.arch === 'x64' ? 'amd64' : process.arch}`
}
