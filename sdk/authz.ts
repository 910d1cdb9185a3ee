/** Write an authorizer: what a request asks for, however it was spelled, and whose its objects are. */
export type { Caller } from '@cleat/protocol/caller';
export { type Action, actionNames, actions, type Effect } from './authz/actions.js';
export { type Asked, askedOf } from './authz/asked.js';
export { ownerOf } from './authz/caller.js';
export {
  type Amount,
  type Demand,
  type Labels,
  type ObjectDemand,
  type ObjectType,
  type Setting,
  settings,
} from './authz/demand.js';
export { EngineObjects, type FoundObject, type Objects, objectsFrom } from './authz/objects.js';
