/** `npm run dashboards`: writes grafana/generated/ anew. */
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { files } from './files.ts'

const folder = new URL('generated/', import.meta.url)

await rm(folder, { recursive: true, force: true })
await mkdir(folder)
for (const [name, text] of files()) await writeFile(new URL(name, folder), text)
process.stdout.write(`${files().size} files are in grafana/generated\n`)
