import { Caller, nobody } from '@cleat/protocol/caller';
import { invalidParameter, messageOf } from '@cleat/protocol/errors';
import { decode, isRecord, stringify } from '@cleat/protocol/json';
import { AuthorizationRequest } from '@cleat/protocol/kinds/authz';
import { callerNamed, messageFor, Reader } from '@cleat/sdk/policy';

/**
 * The request that is asked about: `METHOD PATH [BODY]`, or a file with a recorded one.
 * @param read reads a file
 * @throws InvalidParameter
 */
export function requestOf(
  words: readonly string[],
  as: string | undefined,
  read: (path: string) => string,
): AuthorizationRequest {
  const [first = '', uri, body, ...more] = words;
  const caller = as === undefined ? undefined : callerNamed(new Reader(as, '--as'));
  if (uri === undefined && first !== '') return recorded(first, read(first), caller);
  if (uri === undefined || more.length > 0) throw invalidParameter('use: cleat authz explain METHOD PATH [BODY]');
  if (!/^[A-Za-z]+$/.test(first)) throw invalidParameter(`${JSON.stringify(first)} is no method, such as POST`);
  const text = body === undefined ? '' : read(body);
  return messageFor({ method: first.toUpperCase(), uri, body: text, caller: caller ?? nobody });
}

/** The members that authorizers are told, or an entry of an audit journal. */
function recorded(path: string, text: string, as: Caller | undefined): AuthorizationRequest {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw invalidParameter(`${path} holds no request as JSON: ${messageOf(cause)}`, { cause });
  }
  if (!isRecord(value)) throw invalidParameter(`${path} holds no request as JSON`);
  if (typeof value.RequestUri === 'string') {
    const message = decode(AuthorizationRequest, value);
    return as === undefined ? message : { ...message, User: as.Method === 'TLS' ? as.User : '', Caller: as };
  }
  const { Method: method, URI: uri, Body: body, Caller: caller } = value;
  if (typeof method !== 'string' || typeof uri !== 'string') {
    throw invalidParameter(`${path} holds no request: it has neither RequestMethod and RequestUri nor Method and URI`);
  }
  const bodyText = body === undefined || body === null ? '' : typeof body === 'string' ? body : stringify(body);
  const told = caller === undefined ? nobody : decode(Caller, caller);
  return messageFor({ method, uri, body: bodyText, caller: as ?? told });
}
