import type { Caller } from '@cleat/protocol/caller';
import { forbidden } from '@cleat/protocol/errors';
import type { AuthorizationRequest } from '@cleat/protocol/kinds/authz';
import { type Action, actionOf } from './actions.js';
import { callerOf } from './caller.js';
import type { Demand } from './demand.js';
import { demandsOf } from './demands/index.js';
import { targetOf } from './target.js';

/** A request as an authorizer needs to know it, whichever engine shows it and however the client spelled it. */
export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly caller: Caller;
  /** undefined: the API has no such route. */
  readonly action: Action | undefined;
  /**
   * All that it asks for.
   * @throws Forbidden where that could be understood in two ways, or is not shown by the engine
   */
  readonly demands: readonly Demand[];
}

/** Reads what a request asks for. @throws Forbidden for a target that could be understood in two ways */
export function askedOf(message: AuthorizationRequest): Asked {
  const { RequestMethod = '', RequestUri = '', RequestBody = '', RequestHeaders = {} } = message;
  const target = targetOf(RequestUri);
  const isNormalised = message.Caller !== undefined;
  const found = actionOf(RequestMethod, target.path);
  const facts = { method: RequestMethod, path: target.path, caller: callerOf(message) };
  if (found === undefined) return { ...facts, action: undefined, demands: [] };
  const body = Buffer.from(RequestBody, 'base64').toString('utf8');
  const { query, version } = target;
  let demands: readonly Demand[] | undefined;
  return {
    ...facts,
    action: found.action,
    // A request of somebody who may do everything need not be understood.
    get demands() {
      if (!isNormalised) refuseForms(RequestMethod, RequestHeaders);
      demands ??= demandsOf({ ...found, method: RequestMethod, query, version, body, isNormalised });
      return demands;
    },
  };
}

/** A stock engine reads the fields of a form as if they were in the query, and before what is there. */
function refuseForms(method: string, headers: Readonly<Record<string, string>>): void {
  if (method === 'GET' || method === 'HEAD') return;
  const [, type = ''] = Object.entries(headers).find(([name]) => name.toLowerCase() === 'content-type') ?? [];
  if (/form/i.test(type))
    throw forbidden(`the body of the request is a form (${type}), which no client of Docker sends`);
}
