/** A ReplicaSet of containers that answer with their names, and a Service over them. */
export const replicated = (replicas: number): string => `
apiVersion: k4s/v1
kind: ReplicaSet
metadata: { name: who }
spec:
  replicas: ${replicas}
  template: { spec: { module: ./who.ts } }
---
apiVersion: k4s/v1
kind: Service
metadata: { name: who }
spec: { selector: "who-*" }
`
