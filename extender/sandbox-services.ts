import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyBaseLogger } from 'fastify'
import { Registry } from 'prom-client'
import { systemClock } from './clock.ts'
import { type Activator, type ActivatorOptions, startActivator } from './sandboxes/activator/serve.ts'
import { schedulerAt } from './sandboxes/client/connect.ts'
import { list, type Listed, type ListOptions } from './sandboxes/client/list.ts'
import { tour, type TourOptions } from './sandboxes/client/tour.ts'

export { startEvents } from './sandboxes/events/serve.ts'
export { entriesOfFlags, settingsOfFile, startGlobal } from './sandboxes/global/serve.ts'
export { terminations } from './sandboxes/client/terminations.ts'
export { startMock } from './sandboxes/mock/server.ts'

type ActivatorAt = Omit<ActivatorOptions, 'scheduler' | 'registry' | 'log'> & {
  readonly log: FastifyBaseLogger
  readonly schedulerUrl: string
}

/** Starts the activator before the scheduler, or the front door, at that address. */
export function startActivatorAt({ schedulerUrl, ...options }: ActivatorAt): Promise<Activator> {
  return startActivator({ ...options, scheduler: schedulerAt(schedulerUrl), registry: new Registry() })
}

type TourAt = Omit<TourOptions, 'scheduler' | 'clock' | 'pause'> & { readonly url: string }

/** The demo client's tour at the scheduler, or the front door, of that address. */
export async function tourAt({ url, ...options }: TourAt): Promise<{ readonly uid: string }> {
  return tour({ ...options, scheduler: schedulerAt(url), clock: systemClock, pause: ms => sleep(ms) })
}

/** The sandboxes that the scheduler, or the front door, at that address knows. */
export function listAt({ url, ...asked }: Omit<ListOptions, 'scheduler'> & { readonly url: string }): Promise<Listed> {
  return list({ ...asked, scheduler: schedulerAt(url) })
}
