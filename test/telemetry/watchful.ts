/** Loaded in front of a `muster serve`: tells on stderr which packages of OpenTelemetry are loaded. */
import { registerHooks } from 'node:module'

registerHooks({
  resolve(specifier, context, next) {
    if (specifier.startsWith('@opentelemetry/')) process.stderr.write(`loads ${specifier}\n`)
    return next(specifier, context)
  }
})
