import { systemError } from './errors.js';
import { isRecord, parseJson } from './json-text.js';

/**
 * Powerstrip's chained pre- and post-hooks, version 1 (clusterhq/powerstrip, README, 2015). An adapter is one HTTP
 * endpoint; it is sent a message by POST, and answers with the request or the answer that is to take its place, or with
 * an HTTP error, which ends the chain.
 */
export const powerstripVersion = 1;

/** A client's request. */
export interface PowerstripRequest {
  readonly Method: string;
  /** Path and query: `/v1.16/containers/create?name=a`. */
  readonly Request: string;
  /** JSON; null: there is none, or it is of another type. */
  readonly Body: string | null;
}

export interface PowerstripAnswer {
  readonly ContentType: string | null;
  /** null: there is none, or it is no text. */
  readonly Body: string | null;
  readonly Code: number;
}

export function preHookMessage(request: PowerstripRequest): string {
  return JSON.stringify({ PowerstripProtocolVersion: powerstripVersion, Type: 'pre-hook', ClientRequest: request });
}

/** @param request as the client made it */
export function postHookMessage(request: PowerstripRequest, answer: PowerstripAnswer): string {
  return JSON.stringify({
    PowerstripProtocolVersion: powerstripVersion,
    Type: 'post-hook',
    ClientRequest: request,
    ServerResponse: answer,
  });
}

/** An adapter's answer to a pre-hook; a member that is missing stays as it is. @throws System */
export function readPreHook(text: string, given: PowerstripRequest): PowerstripRequest {
  const { Method, Request, Body } = membersOf(text, 'ModifiedClientRequest');
  return {
    Method: textOf('Method', Method, given.Method).toUpperCase(),
    Request: textOf('Request', Request, given.Request),
    Body: bodyOf(Body, given.Body),
  };
}

/** The same of a post-hook. @throws System */
export function readPostHook(text: string, given: PowerstripAnswer): PowerstripAnswer {
  const { ContentType, Body, Code = given.Code } = membersOf(text, 'ModifiedServerResponse');
  if (typeof Code !== 'number' || !Number.isInteger(Code) || Code < 200 || Code > 599) {
    throw systemError(`Code is ${JSON.stringify(Code)}: a status from 200 to 599 was expected`);
  }
  return {
    ContentType: ContentType === null ? null : textOf('ContentType', ContentType, given.ContentType),
    Body: bodyOf(Body, given.Body),
    Code,
  };
}

function membersOf(text: string, name: string): Record<string, unknown> {
  let answer: unknown;
  try {
    answer = parseJson(text);
  } catch (cause) {
    throw systemError('its answer is no JSON', { cause });
  }
  const version = isRecord(answer) ? (answer.PowerstripProtocolVersion ?? powerstripVersion) : undefined;
  if (!isRecord(answer)) throw systemError('its answer is no object');
  if (version !== powerstripVersion) throw systemError(`it speaks version ${JSON.stringify(version)}; 1 is known here`);
  const members = answer[name];
  if (!isRecord(members)) throw systemError(`its answer has no ${name}`);
  return members;
}

function textOf<T>(name: string, value: unknown, given: T): string | T {
  if (value === undefined) return given;
  if (typeof value !== 'string') throw systemError(`${name} is no text`);
  return value;
}

function bodyOf(value: unknown, given: string | null): string | null {
  return value === null ? null : textOf('Body', value, given);
}
