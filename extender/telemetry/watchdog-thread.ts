/** The thread that watches the main one: it shares nothing with it but one number, so that nothing holds it up. */
import { constants, openSync, writeSync } from 'node:fs'
import { workerData } from 'node:worker_threads'
import type { Watched } from './watchdog.ts'

const lookMs = 1_000
const { beats, patience } = workerData as Watched

let seen = 0
let missed = 0

// Looks are counted, not the time between them: a process that was stopped as a whole has stood still in neither thread.
setInterval(() => {
  const beat = Atomics.load(beats, 0)
  missed = beat === seen ? missed + 1 : 0
  seen = beat
  if (missed < patience) return
  say(`ending: the event loop has stood still for ${patience} s`)
  process.kill(process.pid, 'SIGKILL')
}, lookMs)

/** One line as the log writes them; a reader that has stopped reading is not waited for. */
function say(msg: string): void {
  try {
    writeSync(output(), `${JSON.stringify({ level: 60, time: Date.now(), msg })}\n`)
  } catch {
    // Nobody can be told; the end itself tells.
  }
}

/** A pipe or a file is opened once more, not to block; a socket cannot be, and Node has made it so already. */
function output(): number {
  try {
    return openSync('/dev/stdout', constants.O_WRONLY | constants.O_APPEND | constants.O_NONBLOCK)
  } catch {
    return 1
  }
}
