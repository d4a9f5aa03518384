/** What the human API answers, as far as the command line shows it; `extender/gangs/telling/report.ts` makes it. */
export type GangReport = {
  readonly namespace: string
  readonly name: string
  readonly state: string
  readonly minMember: number | null
  readonly reason: string | null
  readonly members: readonly {
    readonly name: string
    readonly state: string
    readonly node: string | null
    readonly planned: string | null
  }[]
}

export type PodReport = {
  readonly namespace: string
  readonly name: string
  readonly explanation: string
  readonly gang: GangReport | null
}
