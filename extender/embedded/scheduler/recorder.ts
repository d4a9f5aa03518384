import type { Clock } from '../../clock.ts'
import { EventRecorder, type Happening } from '../controllers/events.ts'
import type { Client } from '../store/client.ts'
import type { PodView } from './views.ts'

/** Upstream cuts the text of an event so. */
const longestNote = 1024

/** Writes events about pods, each in the name of the pod's scheduler. */
export class Recorder {
  readonly #client: Client
  readonly #clock: Clock
  readonly #recorders = new Map<string, EventRecorder>()

  constructor(client: Client, clock: Clock) {
    this.#client = client
    this.#clock = clock
  }

  record({ object, pod: { schedulerName } }: PodView, { message, ...event }: Happening): void {
    const known = this.#recorders.get(schedulerName)
    const recorder = known ?? new EventRecorder(this.#client, this.#clock, schedulerName)
    this.#recorders.set(schedulerName, recorder)
    const note = message.length <= longestNote ? message : `${message.slice(0, longestNote - 4)} ...`
    recorder.record(object, { ...event, message: note })
  }
}
