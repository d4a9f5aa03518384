/** Loaded in front of a `muster serve`: its logic fails once, at the first plan for a gang with this name. */
import { Planning } from '../../extender/gangs/planning/planning.ts'

// oxlint-disable-next-line typescript/unbound-method -- it is called on the instance again
const { attempt } = Planning.prototype
let left = 1

Planning.prototype.attempt = function (gang, room) {
  if (gang.name === 'cursed' && left-- > 0) throw new TypeError('the planner has stumbled over a curse')
  return attempt.call(this, gang, room)
}
