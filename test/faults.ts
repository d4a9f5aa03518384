/** Where a fault is tried: the titles of tests, by file under test/; or why it cannot be tried here. */
export type Fault = {
  readonly fault: string
  readonly shown: Readonly<Record<string, readonly string[]>> | { readonly why: string }
}

const row = (fault: string, shown: Fault['shown']): Fault => ({ fault, shown })
const kills = (...titles: readonly string[]) => ({ 'conformance/faults.test.ts': titles })
const stops = (...titles: readonly string[]) => ({ 'conformance/stops.test.ts': titles })
const pairs = (...titles: readonly string[]) => ({ 'conformance/pairs.test.ts': titles })
const gangs = (file: string, ...titles: readonly string[]) => ({ [`gangs/${file}.test.ts`]: titles })
const kubernetes = (file: string, ...titles: readonly string[]) => ({ [`kubernetes/${file}.test.ts`]: titles })
/** Small histories with a crash before, at and after each write. */
const crashes = { 'simulation/crashes.test.ts': ['a gated gang: muster may end at any of its writes'] }

/** How many faults of each kind there are. */
export const kinds = { C: 13, S: 10, G: 10, P: 7, H: 7, O: 14 } as const

/**
 * The faults that muster has to survive, each with the tests that show it. C: commit and bind. S: state and view.
 * G: logic of gangs. P: preemption. H: hostile input. O: operations.
 */
export const faults: Readonly<Record<string, Fault>> = {
  C1: row('muster is killed between the first and the last bind of a gang', {
    ...kills(
      'muster killed after exactly 1 of 32 Bindings of a gated gang',
      'muster killed after exactly 16 of 32 Bindings of an ungated gang',
      'muster killed after exactly 31 of 32 Bindings of a gated gang'
    ),
    ...gangs(
      'restart',
      'what a new life takes over',
      'killed at any moment of its start, a gang comes to stand whole, and nothing is left over'
    ),
    ...crashes
  }),
  C2: row('muster is killed before the first bind, with the barrier full', {
    ...stops('muster killed with a full barrier, before the first Binding'),
    ...gangs('restart', 'killed at any moment of its start, a gang comes to stand whole, and nothing is left over'),
    ...crashes
  }),
  C3: row('muster is killed after the API server has bound a pod, before it has answered', {
    ...kills(
      'muster killed after exactly 16 of 32 Bindings of a gated gang, the last reply lost',
      'muster killed after exactly 32 of 32 Bindings of an ungated gang, the last reply lost'
    ),
    ...kubernetes('binder', 'S3.70 already on the same node'),
    ...crashes
  }),
  C4: row('the reply to a Binding is lost', {
    ...stops(
      'the wire to the API server is cut after the commit',
      'the wire to the API server is silent after a write was sent'
    ),
    ...kills('the last reply lost, muster not killed'),
    ...kubernetes('binder', 'the reply is lost after the commit', 'the reply is lost before the commit'),
    ...gangs(
      'barrier',
      'when the first binding was written but its answer was lost, the next attempt finds it and goes on'
    )
  }),
  C5: row('409: already assigned, deleting, gated', {
    ...kubernetes(
      'binder',
      'S3.70 already on the same node',
      'S3.70 already on another node',
      'another uid under that name',
      'a conflict, and the pod is gone by now'
    ),
    ...gangs('lives', 'S3.70 409: it stands elsewhere, and the gang is planned again')
  }),
  C6: row('the API server or etcd is restarted in the middle of the Bindings', {
    ...stops(
      'etcd killed for 5 s when half of a gang is bound',
      'etcd stopped with SIGSTOP for 5 s when half of a gang is bound'
    ),
    ...kills('API server killed for 5 s when 16 of 32 are bound'),
    ...kubernetes('binder', 'a refused connection is safe to retry, and late in the end')
  }),
  C7: row('the API server takes long for each write', {
    ...stops('the wire to the API server is slow, each write 3 s'),
    ...kubernetes(
      'binder',
      'a reply that never comes leaves time for a look',
      'no answer at all before the deadline is unknown'
    ),
    ...gangs('barrier', 'no write starts in the last second before kube-scheduler gives up'),
    ...gangs('writes', 'S2.10 S2.23 an API server that takes a minute for each write stops neither look-ups nor plans')
  }),
  C8: row('429, with and without Retry-After', {
    ...kubernetes('binder', 'S2.20 S3.30 too many requests', 'S3.12 Retry-After is honoured, inside the deadline'),
    'backoff.test.ts': ['S2.22 what the server asks for is waited, with jitter on top, and no longer than the cap']
  }),
  C9: row('the client hangs up, or its patience ends, at the barrier', {
    ...stops(
      'muster stopped with SIGSTOP for 11 s when half of a gang is bound',
      'kube-scheduler stopped with SIGSTOP for 11 s when half of a gang is bound',
      'every third call of muster is broken: reset',
      'every third call of muster is broken: blackhole'
    ),
    ...gangs(
      'barrier',
      'a member whose client hangs up leaves the barrier and is not bound',
      'the barrier ends five seconds before kube-scheduler gives up'
    ),
    'app.test.ts': ['a client that hangs up at bind aborts what it asked for'],
    ...kubernetes('binder', 'nothing is written after the deadline or once called off')
  }),
  C10: row('one of the Bindings fails for good', {
    'conformance/peers-faults.test.ts': [
      'NV-8 the Binding of pg1-0 of 3 is refused with 403 (gated)',
      'NV-8 the Binding of pg1-2 of 3 is refused with 500 (ungated)'
    ],
    ...gangs('barrier', 'a later binding that fails leaves the gang begun: its room is kept and it is tried again')
  }),
  C11: row('the same pod is sent to be bound twice', {
    ...stops('every third call of muster is broken: lost', 'every third call of muster is broken: truncated'),
    ...gangs('barrier', 'S2.24 a repeated call joins the one under way'),
    ...gangs(
      'regressions',
      'B10 a repeated call for an ordinary pod joins the one under way; a member bound but not seen back is success'
    )
  }),
  C12: row('bind for an unknown pod, a wrong node, a wrong uid, a plan that is gone', {
    ...gangs('barrier', 'only what is planned is bound, and only where it is planned'),
    ...kubernetes('binder', 'another uid under that name')
  }),
  C13: row('more members at the barrier than connections or streams', {
    'wire-limits.test.ts': [
      '600 binds wait at a time on as many connections of HTTP/1.1',
      '600 binds wait at a time on one connection of HTTP/2',
      'at the cap of connections new ones are refused, and what waits is answered'
    ],
    'conformance/tls.test.ts': ['the real kube-scheduler binds gangs of 64 over HTTP/2 with certificates on both sides']
  }),
  S1: row('410 at a watch and in the middle of a list', {
    ...kubernetes('reflector', '410 as a status lists again', 'a token that expires in mid-list begins the list again')
  }),
  S2: row('a watch is frozen without an error', {
    ...stops(
      'watches that are frozen without an error are opened anew',
      'reads that are silent for long: nobody new is planned until they are answered'
    ),
    ...kubernetes('reflector', 'a frozen watch is noticed, also where not even headers come'),
    ...kubernetes(
      'projections',
      'a picture of which nothing was heard, also after its watch was opened anew, is out of date until it is'
    ),
    ...gangs('truth', 'by a picture of the cluster that is too old nobody new is planned, and what is planned goes on'),
    ...kills('API server frozen for 5 s when 16 of 32 are bound')
  }),
  S3: row('another API server gives an older list', {
    ...kubernetes('reflector', 'a list older than what was seen is not accepted')
  }),
  S4: row('the watch lags behind what muster itself has bound', {
    ...gangs(
      'regressions',
      'B10 a repeated call for an ordinary pod joins the one under way; a member bound but not seen back is success'
    ),
    ...gangs('ranks', 'the room of an ordinary binding under way is taken, whatever becomes of it'),
    'state.test.ts': ['an unknown pod is assumed']
  }),
  S5: row('a pod is deleted and made again under its name', {
    ...kubernetes('reflector', 'a namesake with another uid is another object'),
    ...gangs('restart', 'a member is replaced')
  }),
  S6: row('a request forges a uid, a gang, a namespace', {
    ...gangs('truth', 'a request that lies about a pod is answered as the pod is')
  }),
  S7: row('a node with planned members is deleted, cordoned or shrunk', {
    ...gangs('restart', 'its node goes', 'its node is cordoned', 'its node shrinks'),
    ...gangs('barrier', 'what has begun loses only the member whose room is gone')
  }),
  S8: row('a pod of somebody else takes room that is held', {
    ...gangs('barrier', 'a pod from outside takes the room', 'the room is looked at again when the barrier opens'),
    ...gangs('restart', 'a foreign pod takes its room')
  }),
  S9: row('muster is restarted under load', {
    'app.test.ts': ['not ready: no verb decides, and /readyz names what is missing'],
    'verbs/verbs.test.ts': ['nothing is decided before the whole cluster has been seen'],
    ...kubernetes('reflector', 'S3.7 S3.12 lists in pages, then watches from there')
  }),
  S10: row('changes come out of order across resources', {
    ...gangs('truth', 'a pod that is heard of before its node takes that room when the node comes')
  }),
  G1: row('a gang is larger than the cluster', {
    ...gangs('life', 'an infeasible gang holds, nominates and ungates nothing, and says why'),
    ...gangs('patience', 'min-resources beyond the cluster are said before anybody searches'),
    ...gangs('preemption', 'a gang that would still not fit')
  }),
  G2: row('two gangs of which each fits alone', {
    ...gangs('life', 'of two gangs that fit alone but not together, one runs and the other holds nothing'),
    ...gangs(
      'peers',
      'Volcano 3373, Koordinator 872, scheduler-plugins 114 and 117: gangs that each hold a part deadlock'
    )
  }),
  G3: row('a member never comes', {
    ...gangs('life', 'forming while members are missing'),
    ...gangs('restart', 'a hold that is not used in time goes to an equal, whose turn it is then')
  }),
  G4: row('a member is deleted at the barrier', {
    ...gangs('barrier', 'a member that waits here is deleted', 'a member that waits elsewhere is deleted'),
    ...gangs('regressions', 'a member that is known to be gone does not count at the barrier')
  }),
  G5: row('members differ about the size of their gang, or change their minds', {
    ...gangs(
      'declarations',
      'members that disagree',
      'a planned gang whose members begin to disagree gives its plan up',
      'a running gang goes on whatever its pods say later'
    )
  }),
  G6: row('a running gang gets one more member', {
    ...gangs(
      'peers',
      'Volcano 6010: scale-up of a running gang binds newcomers only where there is room, and blocks nobody'
    )
  }),
  G7: row('a member fails after the gang has run', {
    ...gangs(
      'peers',
      'Volcano 5805, YuniKorn 1395: a gang below its minimum heals before anybody fills its slot',
      'KAI 1968, Volcano 2633, scheduler-plugins 358 and 364: completed and leaving members are counted right'
    ),
    ...gangs('life', 'a degraded gang is repaired, before others of its rank')
  }),
  G8: row('filter with the nominated node alone, filter again, filter of a planned pod', {
    ...gangs('truth', 'the same question has the same answer, and asking plans nothing'),
    'conformance/counts.test.ts': ['a gated pod makes one filter call, with one node, and no prioritize call']
  }),
  G9: row('small pods come without end while a big gang waits', {
    why: 'no room is reserved for a gang that does not fit yet: backfill and its bound come later (README, Limits)'
  }),
  G10: row('a pod of a native group', {
    ...gangs('life', 'pods of other schedulers, native groups and single pods are left alone'),
    ...gangs('dialects', 'native group (1.36): untouched'),
    ...kubernetes('projections', 'native groups are told apart')
  }),
  P1: row('a disruption budget protects a victim', {
    ...gangs(
      'preemption',
      'whom the Eviction API protects is spared, and others go',
      'a budget that is known is not even tried'
    ),
    ...gangs('patience', 'is evicted again where a disruption budget said no at first')
  }),
  P2: row('an eviction is answered with 500 (two budgets), 404 or 409', {
    ...kubernetes('writes', 'two budgets for one pod', 'a disruption budget', 'somebody wrote in between'),
    ...gangs(
      'writes',
      'S2.21 S2.22 an eviction that fails is asked for ever more rarely: eleven times in the first minute'
    )
  }),
  P3: row('a victim takes long to leave', {
    ...gangs(
      'preemption',
      'slow victims: one wave, nobody is nominated or ungated before they have left, and the room stays theirs'
    )
  }),
  P4: row('the preemptor is deleted after the first eviction', {
    ...gangs(
      'preemption',
      'a preemptor that disappears stops the evictions that have not happened',
      'what was in vain is counted, however the preemptor disappears'
    )
  }),
  P5: row('a victim is replaced under its name', {
    ...kubernetes('writes', 'another uid, as 1.36 says it'),
    ...gangs('preemption', 'S2.24 S3.30 an eviction without a clear answer is asked for again, and happens once')
  }),
  P6: row('a victim is a member of a gang', {
    ...gangs('preemption', 'a gang is a unit: its surplus first, then all of it', '… but no gang is left half evicted')
  }),
  P7: row('several preemptors choose the same victims', {
    ...gangs('preemption', 'four preemptors for the same victims: nobody gets the room of another')
  }),
  H1: row('JSON that is malformed, cut, empty, of wrong types or of 100 MB', {
    'app.test.ts': ['JSON of the wrong type', 'bytes that are no HTTP, and half a request, harm nobody'],
    'wire-limits.test.ts': [
      '100 MB are refused at once and never kept, plain',
      '100 MB over HTTP/2 are refused at once and never kept'
    ],
    'verbs/verbs.test.ts': ['20,000 mutated bodies: an answer or a BadRequest, and nothing else']
  }),
  H2: row('slow clients, stalled streams, floods', {
    'wire-limits.test.ts': [
      'slow clients of HTTP/1.1 are cut, plain',
      'a body that stalls over HTTP/2 is not waited for; its connection is',
      'headers beyond 8 KiB are refused, plain',
      'floods of pings, resets and empty streams hurt only who sends them'
    ],
    'wire-floods.test.ts': [
      'of 10,000 streams at a time so many wait as are allowed, and the rest of the world goes on'
    ]
  }),
  H3: row('keys such as __proto__ and constructor', {
    'wire-hostile.test.ts': [
      'keys of every object',
      'HTTP/1.1: a pod with keys of every object is answered by each verb'
    ],
    ...kubernetes('projections', 'hostile content reads as absent, or throws where there is no identity')
  }),
  H4: row('priorities that are no integers', {
    ...gangs('custom-scheduler', 'S3.53 a priority that is no integer counts as 0, with an event that names the rule'),
    'fuzz/annotations.test.ts': ['whatever stands in annotations and labels makes a gang, a refusal or nothing']
  }),
  H5: row('lone surrogates, oversized texts, deep nests, a key twice', {
    ...gangs('tenants', 'what a tenant writes forges no line of the log and fills none'),
    'wire-hostile.test.ts': [
      'lone surrogates',
      'objects in objects',
      'the same key twice',
      'HTTP/1.1: the last of two keys counts, as in Go'
    ],
    'verbs/verbs.test.ts': ['a pod nested 50,000 deep is answered']
  }),
  H6: row('a gang has the name of a gang in another namespace', {
    ...gangs('life', 'gangs of one name in two namespaces never meet')
  }),
  H7: row('10,000 names of gangs', {
    ...gangs('tenants', 'of one namespace only so many gangs are planned while they wait'),
    ...gangs('bounds', '10,000 gang names leave nothing behind: no memory, no hold, no metric'),
    ...gangs('series', '10,000 random gangs do not add one series'),
    'wire-limits.test.ts': ['10,000 gangs leave no series behind, and not much else']
  }),
  O1: row('two musters believe that they lead', {
    ...pairs('O1 two pairs believe that they lead'),
    ...gangs(
      'tenure',
      'O1 the lease lost with members at the barrier: they hear so at once, and nothing more is written',
      'O1 no write starts before the term, nor after its end, even where nobody told of the end'
    ),
    ...kubernetes('binder', 'posts the binding with uid and annotations', 'S3.70 already on another node')
  }),
  O2: row('another kube-scheduler takes over in the middle of a gang', {
    ...pairs('O2 the leading pair is killed with gangs in flight', 'O2 the leading kube-scheduler alone is killed'),
    ...kills('kube-scheduler killed when 16 of 32 gated members are bound, and restarted')
  }),
  O3: row('the wall clock jumps by an hour', {
    ...stops(
      'the clock of muster jumps by +59m when half of a gang is bound',
      'the clock of muster jumps by -59m when half of a gang is bound'
    ),
    ...gangs(
      'truth',
      'a wall clock that is set forth by an hour ends no wait and holds no room longer',
      'a wall clock that is set back by an hour ends no wait and holds no room longer'
    )
  }),
  O4: row('the event loop stands still, the heap is at its limit', {
    'cli/watchdog.test.ts': [
      'an event loop that stands still',
      'a process that was stopped as a whole for longer goes on, and ends at once on SIGTERM',
      'a heap at its limit ends the process'
    ]
  }),
  O5: row('certificates expire, are rotated, or are the wrong ones', {
    'wire-tls.test.ts': [
      'with a CA of clients, nobody else gets in',
      'of those whom the CA has signed for, only the named ones may call',
      'files that change are used from the next connection on; what cannot be used changes nothing'
    ],
    'wire-certs.test.ts': [
      'rotated ten times under load, and the CA with them, no call fails',
      'who shows what another CA has signed, or another name, is not let in'
    ]
  }),
  O6: row('SIGTERM with members at the barrier', {
    ...pairs('O6 a rolling restart under a stream of gangs'),
    'wire-drain.test.ts': [
      'HTTP/2: a bind at the barrier when closing begins gets its answer, and so do the members it waits for',
      'HTTP/1.1: a bind that still waits at the end of the drain hears why',
      'HTTP/2: under load no call fails while the server closes',
      'SIGTERM under load: no call of a real process fails, it is not ready at once, and it ends well'
    ]
  }),
  O7: row('nobody reads the log, or the disk is full', {
    'telemetry/unread.test.ts': [
      'O7 gangs are scheduled while nobody reads the log, and the process ends when it is told to',
      'O7 gangs are scheduled while the disk of the log is full, and lost lines are counted'
    ],
    'cli/watchdog.test.ts': ['ends it also when nobody reads its log any more']
  }),
  O8: row('muster is down for minutes', {
    ...gangs('restart', 'while muster is down nobody of a gang is bound, and pods of others are'),
    'cli/lint.test.ts': ['in place of the default scheduler']
  }),
  O9: row('a configuration that hurts', {
    'cli/lint.test.ts': [
      'a filter that is ignorable',
      'a bind that is ignorable',
      'one entry for all verbs',
      'https without a CA',
      'bind ends with the barrier'
    ]
  }),
  O10: row('TokenReview and SubjectAccessReview are out', {
    why: 'the API for people asks nobody who they are: it listens on loopback, or where its operator says'
  }),
  O11: row('the lifetime of a sandbox ends while the API server or the service is down', {
    'sandboxes/lifetimes.test.ts': [
      'S0.10 expirations outlive the service: one that is past is carried out, one to come still comes',
      'the first end counts: of a release and an expiry at once, one'
    ]
  }),
  O12: row('several musters list 50,000 pods at a time', {
    ...kubernetes(
      'reflector',
      'S3.7 S3.12 lists in pages, then watches from there',
      '429 waits as long as the server asks, but not for ever',
      'a server that always answers 410 is not hammered'
    )
  }),
  O13: row('10,000 pods of 500 gangs wait', {
    ...gangs(
      'custom-scheduler',
      'S3.73 many who wait for the same are planned once for each change, and each is told by its own name'
    ),
    'conformance/counts.test.ts': ['gated waiters make no filter call while 300 ordinary pods are bound']
  }),
  O14: row('a rolling upgrade changes what plans look like', {
    ...gangs(
      'restart',
      'a plan that has begun, from its record: firmly, where it was, under its id',
      'no record that cannot be read: the gang is repaired'
    ),
    ...gangs('records', 'a record of the version before this one is gone on with, under its id')
  })
}
