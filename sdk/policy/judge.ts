import type { AuthorizationRequest } from '@cleat/protocol/kinds/authz';
import { brokerOf } from './broker.js';
import type { GroupId } from './callers.js';
import { type Decision, decide } from './decide.js';
import type { Circumstances } from './grant.js';
import { type Policy, policyOf } from './policy.js';
import { socketProxyOf } from './socket-proxy.js';

/** The forms of a policy file. */
export const policyForms = ['policy', 'tecnativa', 'linuxserver', 'broker'] as const;
export type PolicyForm = (typeof policyForms)[number];

/** A policy file, in force. */
export interface Judge {
  /** Nothing is denied: what would be is reported. */
  readonly isDryRun: boolean;
  /** Parts of the file that have no effect. */
  readonly warnings: readonly string[];
  /** Only in a file of the form `policy`. */
  readonly policy: Policy | undefined;
  judge(message: AuthorizationRequest): Promise<Decision>;
}

export interface JudgeOptions extends Pick<Circumstances, 'objects' | 'isPlainPath'> {
  /** Reads YAML or JSON, for a file of the form `policy`. */
  readonly parse: (text: string) => unknown;
  readonly groupId?: GroupId;
}

/** @throws InvalidParameter for a file that is wrong */
export function judgeOf(form: PolicyForm, text: string, options: JudgeOptions): Judge {
  const warnings: string[] = [];
  if (form === 'policy') {
    const policy = policyOf(options.parse(text), options.groupId);
    return {
      isDryRun: policy.mode === 'dry-run',
      warnings,
      policy,
      judge: (message) => decide(policy, message, options),
    };
  }
  const sync = form === 'broker' ? brokerOf(text, (why) => warnings.push(why)) : socketProxyOf(form, text);
  return { isDryRun: false, warnings, policy: undefined, judge: async (message) => sync(message) };
}

/** A decision as a client is told it. */
export function spoken({ rule, reason }: Decision): string {
  return rule === undefined ? reason : `rule ${JSON.stringify(rule)}: ${reason}`;
}
