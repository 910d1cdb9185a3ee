import type { Route } from '@cleat/api/http/router';
import { apiRoutes } from '@cleat/api/routes';
import type { ApiServices } from '@cleat/api/services';
import { silentLogger } from '@cleat/protocol/log';
import { type Change, changes, tabled } from './changes.js';

const words: Record<Change['state'], string> = {
  served: 'served',
  refused: 'refused',
  none: 'does not apply',
};

/** How a route reads in Docker's documents. */
export const pathOf = ({ path }: Pick<Route, 'path'>): string => path.replace(/:(\w+)/g, '{$1}');

/** Routes need their services only when they are asked. */
export const allRoutes = (): Route[] => apiRoutes({} as ApiServices, { log: silentLogger, version: '' });

/** `docs/reference/api.md` */
export function apiPage(): string {
  const versions = tabled();
  return [
    '# The Docker Engine API here',
    '',
    `Every version from ${versions.at(-1)} to ${versions[0]} is served. This page is made from the routes and the table in`,
    '`cli/reference/api/` by `npm run docs`; tests hold each line. A field that is *served* does what Docker’s',
    'documents say. A *refused* field ends the request with status 400, 404, 501 or 503, and nothing is done. A field that',
    '*does not apply* has nothing to act on, for the reason that is given; see also',
    '[fields that mean nothing here](../guide/api.md).',
    '',
    '## Requests',
    '',
    'A parameter that narrows a request (`platform`, `platforms`, `filters`, `filter`) is heeded or refused, on every',
    'route and in every version. The last column says where it is heeded.',
    '',
    '| Request | Body | Selectors |',
    '|---|---|---|',
    ...allRoutes().map(rowOf),
    '',
    '## Changes by version',
    ...versions.flatMap((version) =>
      section(
        version,
        changes().filter((change) => change.version === version),
      ),
    ),
    '',
  ].join('\n');
}

function rowOf(route: Route): string {
  const { method, body, streams, hijacks, selectors = {} } = route;
  const data = body ? 'JSON' : streams === 'up' || streams === 'both' ? 'a stream' : hijacks ? 'the connection' : '';
  const names = Object.entries(selectors).map(([name, count]) => `\`${name}\`${count === 'many' ? ' (several)' : ''}`);
  return `| \`${method} ${pathOf(route)}\` | ${data} | ${names.join(', ')} |`;
}

function section(version: string, list: readonly Change[]): string[] {
  const head = ['', `### ${version}`, ''];
  if (list.length === 0) return [...head, 'Nothing changed.'];
  return [...head, '| Request | Field | | Why |', '|---|---|---|---|', ...list.map(row)];
}

const how: Partial<Record<Change['kind'], string>> = {
  query: 'parameter',
  answer: 'answer',
  gone: 'no longer in the answer',
  always: 'answer, in every version',
};

function row({ request, field, kind, state, why = '' }: Change): string {
  const [name = '', ...rest] = field.split(' ');
  const shown = kind === 'text' ? field : kind === 'route' ? 'the request itself' : [`\`${name}\``, ...rest].join(' ');
  const about = how[kind] === undefined ? shown : `${shown} (${how[kind]})`;
  return `| \`${request}\` | ${about.replaceAll('|', '\\|')} | ${words[state]} | ${why} |`;
}
