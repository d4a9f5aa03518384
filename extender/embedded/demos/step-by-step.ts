import { run } from './main.ts'
import type { KubernetesCluster } from '../k4s/cluster.ts'
import { type Demo, type Print, tally, withCluster } from './demo.ts'

const first = `apiVersion: k4s/v1
kind: Container
metadata:
  name: hello
spec:
  module: muster:echo
  params:
    prefix: "hello, "`

const more = `apiVersion: k4s/v1
kind: ReplicaSet
metadata:
  name: who
spec:
  replicas: 2
  template:
    spec:
      module: ./who.ts
---
apiVersion: k4s/v1
kind: Service
metadata:
  name: who
spec:
  selector: "who-*"`

/** Applies, and tells what came of it. */
async function apply(cluster: KubernetesCluster, yaml: string, print: Print): Promise<void> {
  for (const { kind, object, outcome } of await cluster.applyYaml(yaml, { file: import.meta.filename }))
    print(`   ${kind} ${object.metadata.name} ${outcome}`)
}

async function containers(cluster: KubernetesCluster, print: Print): Promise<void> {
  print('1. A cluster runs in this process: new KubernetesCluster(), start().')
  print('2. A container is a module with a function. Apply this:')
  for (const line of first.split('\n')) print(`    ${line}`)
  await apply(cluster, first, print)
  await cluster.ready('hello')
  print('3. Ask it something: api.request("hello", "world")')
  print(`   → ${String(await cluster.api.request('hello', 'world'))}`)
}

async function replicas(cluster: KubernetesCluster, print: Print): Promise<void> {
  const ask = async (): Promise<string> =>
    tally((await Promise.all(Array.from({ length: 30 }, () => cluster.api.requestService('who', '?')))) as string[])
  print('4. Several of a kind, and a service in front of them:')
  for (const line of more.split('\n')) print(`    ${line}`)
  await apply(cluster, more, print)
  await cluster.ready('who')
  print('5. The service picks one of them for each message: api.requestService("who", "?")')
  print(`   → ${await ask()}`)
  print('6. Scale it: scale("who", 4). The controllers see to the rest.')
  await cluster.scale('who', 4)
  await cluster.ready('who')
  print(`   → ${await ask()}`)
}

/** For new users: each step says what it does, shows the YAML, and what came of it. */
export const stepByStep: Demo = {
  name: 'step-by-step',
  title: 'The first five minutes, step by step',
  run: print =>
    withCluster(async cluster => {
      await containers(cluster, print)
      await replicas(cluster, print)
      print('7. Apply the same again: nothing changes.')
      await apply(cluster, first, print)
      print('8. stop(): each container gets its sentinel, finishes, and its thread ends.')
    })
}

if (import.meta.main) await run(stepByStep)
