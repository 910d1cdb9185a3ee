import { groupNumber } from '@cleat/linux/process/user-names';
import type { Caller } from '@cleat/protocol/caller';
import { invalidParameter } from '@cleat/protocol/errors';
import type { HookCallers, HookMatch } from '@cleat/protocol/kinds/hook';
import { nearest } from '@cleat/protocol/nearest';
import type { HookedRoute } from './service.js';

/** The route's path as matches and messages write it: each parameter is a star. */
export function routeText({ path }: Pick<HookedRoute, 'path'>): string {
  return path.replace(/:\w+/g, '*');
}

/** @param pattern `*` is one part of the path, `**` at its end any number of them */
export function fitsRoute(pattern: string, route: Pick<HookedRoute, 'path'>): boolean {
  const wanted = pattern.split('/');
  const parts = routeText(route).split('/');
  const isOpen = wanted.at(-1) === '**';
  if (isOpen) wanted.pop();
  if (isOpen ? parts.length < wanted.length : parts.length !== wanted.length) return false;
  return wanted.every((part, at) => part === '*' || part === parts[at]);
}

/** Whether requests of the route may fit; labels and callers are known later. */
export function mayFit({ Methods, Routes }: HookMatch, route: HookedRoute): boolean {
  if (Methods && !Methods.some((method) => method.toUpperCase() === route.method)) return false;
  return !Routes || Routes.some((pattern) => fitsRoute(pattern, route));
}

export function fitsCaller(wanted: HookCallers, caller: Caller): boolean {
  const { Users, Groups, Containers, Plugins, Methods } = wanted;
  if (Methods && !Methods.includes(caller.Method)) return false;
  // The user of a container's process is one of the container's.
  if (Users && !(isOfHost(caller) && Users.includes(caller.User))) return false;
  if (Groups && !(isOfHost(caller) && Groups.some((group) => isIn(group, caller)))) return false;
  if (Containers && !names(Containers, caller.Container)) return false;
  return !Plugins || names(Plugins, caller.Plugin);
}

const isOfHost = ({ Method, Within }: Caller): boolean => Method === 'TLS' || Within === 'host';

function isIn(group: string, { Process }: Caller): boolean {
  const number = /^\d+$/.test(group) ? Number(group) : groupNumber(group);
  return number !== undefined && Process !== undefined && [Process.GID, ...Process.Groups].includes(number);
}

function names(wanted: readonly string[], place: { ID: string; Name: string } | undefined): boolean {
  if (!place) return false;
  return wanted.some((one) => one === '*' || one === place.Name || one === place.ID);
}

/** @param wanted `key` or `key=value`, all of them */
export function fitsLabels(wanted: readonly string[], labels: Readonly<Record<string, string>>): boolean {
  return wanted.every((one) => {
    const at = one.indexOf('=');
    const key = at < 0 ? one : one.slice(0, at);
    return Object.hasOwn(labels, key) && (at < 0 || labels[key] === one.slice(at + 1));
  });
}

/** A match that names only routes that there are not would never fit, and nobody would notice. @throws InvalidParameter */
export function checkRoutes(all: readonly HookMatch[], routes: readonly Pick<HookedRoute, 'path'>[]): void {
  for (const pattern of all.flatMap(({ Routes = [] }) => Routes)) {
    if (routes.some((route) => fitsRoute(pattern, route))) continue;
    const near = nearest(pattern, routes.map(routeText));
    throw invalidParameter(`the API has no route ${pattern}${near === undefined ? '' : ` (did you mean ${near}?)`}`);
  }
}

const methods = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS'];

/** @throws InvalidParameter for what can never fit */
export function checkMatch({ Methods, Routes, Labels, Callers }: HookMatch): void {
  const [method] = (Methods ?? []).filter((one) => !methods.includes(one.toUpperCase()));
  if (method !== undefined) throw invalidParameter(`'${method}' is no method: ${methods.join(', ')} are`);
  for (const route of Routes ?? []) {
    const version = /^\/v[\d.]+\//.test(route);
    if (route.startsWith('/') && !version && !/\*\*(?!$)|[:?#]/.test(route)) continue;
    throw invalidParameter(`'${route}' is no route: write it as /containers/*/json, without version`);
  }
  const empty = [Methods, Routes, Labels, ...Object.values(Callers ?? {})].some((list) => list?.length === 0);
  if (empty) throw invalidParameter('an empty list fits nothing');
  if (Labels?.some((label) => label === '' || label.startsWith('='))) throw invalidParameter('a label has a key');
  const [way] = (Callers?.Methods ?? []).filter((one) => !['unix', 'TLS', 'none'].includes(one));
  if (way !== undefined) throw invalidParameter(`a caller is proven by unix, TLS or none, not by '${way}'`);
}
