import { invalidParameter } from '@cleat/protocol/errors';
import type { OptionDeclarations, OptionsOf } from '@cleat/protocol/options';
import { type PolicyForm, policyForms } from '@cleat/sdk/policy';

export const options = {
  policy: {
    default: '/etc/docker/authz-policy.yaml',
    help: 'file with the policy; one that changes counts from then on',
  },
  form: { default: 'policy', help: `what that file is: ${policyForms.join(', ')}` },
  mode: { help: '`dry-run`: nothing is denied, whatever the file says; what would be is logged' },
  engine: { help: 'address of the engine that is asked whose an object is' },
} as const satisfies OptionDeclarations;

export interface Settings {
  readonly policy: string;
  readonly form: PolicyForm;
  readonly isDryRun: boolean;
  readonly engine: string | undefined;
}

/** @throws InvalidParameter */
export function settingsOf({ policy, form, mode, engine }: OptionsOf<typeof options>): Settings {
  if (!policy.startsWith('/')) throw invalidParameter('authz-policy: the option policy must be an absolute path');
  const known = policyForms.find((one) => one === form);
  if (!known) throw invalidParameter(`authz-policy: the option form is one of ${policyForms.join(', ')}, not ${form}`);
  if (mode !== undefined && !['', 'dry-run', 'enforce'].includes(mode)) {
    throw invalidParameter(`authz-policy: the option mode is dry-run or enforce, not ${mode}`);
  }
  return { policy, form: known, isDryRun: mode === 'dry-run', engine: engine || undefined };
}
