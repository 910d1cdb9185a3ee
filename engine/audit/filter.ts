import type { AuditRecord } from '@cleat/protocol/audit';
import { decisions } from '@cleat/protocol/audit';
import { invalidParameter } from '@cleat/protocol/errors';
import type { AuditQuery } from './service.js';

/** @throws InvalidParameter for what no record could ever fit */
export function auditFilter(query: AuditQuery): (record: AuditRecord) => boolean {
  const { since, until, user, container, method, status, decision, id } = query;
  if (status !== undefined && !/^([1-5]\d\d|[1-5]xx|0)$/i.test(status)) {
    throw invalidParameter(`a status is a number such as 403, or a class such as 4xx, not "${status}"`);
  }
  if (decision !== undefined && !decisions.some((one) => one === decision)) {
    throw invalidParameter(`a decision is one of ${decisions.join(', ')}, not "${decision}"`);
  }
  const statusPattern = status && new RegExp(`^${status.toLowerCase().replace('xx', '\\d\\d')}$`);
  const routePattern = query.route === undefined ? undefined : globOf(query.route);
  return (record) => {
    const at = Date.parse(record.Time);
    return (
      (since === undefined || at >= since) &&
      (until === undefined || at <= until) &&
      (user === undefined || record.Caller.User === user || String(record.Caller.Process?.UID) === user) &&
      (container === undefined ||
        [record.Container, record.Caller.Container].some((one) => isCalled(one, container))) &&
      (method === undefined || record.Method === method.toUpperCase()) &&
      (routePattern === undefined || routePattern.test(record.Route)) &&
      (!statusPattern || statusPattern.test(String(record.Status))) &&
      (decision === undefined || record.Decision === decision) &&
      (id === undefined || record.ID === id)
    );
  };
}

function isCalled(one: AuditRecord['Container'], ref: string): boolean {
  const isDigits = /^[0-9a-f]+$/.test(ref);
  return one !== undefined && (one.Name === ref || (isDigits && one.ID?.startsWith(ref) === true));
}

function globOf(pattern: string): RegExp {
  const source = pattern.split('*').map((piece) => piece.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${source.join('.*')}$`);
}
