import { invalidParameter } from '@cleat/protocol/errors';
import { decode } from '@cleat/protocol/json';
import Type, { type Static } from '@cleat/protocol/schema';

/** A file of the Container Device Interface (cncf-tags/container-device-interface, SPEC.md), as far as it is read. */
const Strings = Type.Optional(Type.Array(Type.String()));
const text = Type.Optional(Type.String());
const number = Type.Optional(Type.Integer());

const Edits = Type.Object({
  env: Strings,
  deviceNodes: Type.Optional(
    Type.Array(
      Type.Object({
        path: Type.String(),
        hostPath: text,
        type: text,
        major: number,
        minor: number,
        fileMode: number,
        permissions: text,
        uid: number,
        gid: number,
      }),
    ),
  ),
  netDevices: Type.Optional(Type.Array(Type.Unknown())),
  hooks: Type.Optional(
    Type.Array(
      Type.Object({ hookName: Type.String(), path: Type.String(), args: Strings, env: Strings, timeout: number }),
    ),
  ),
  mounts: Type.Optional(
    Type.Array(Type.Object({ hostPath: Type.String(), containerPath: Type.String(), options: Strings, type: text })),
  ),
  intelRdt: Type.Optional(Type.Unknown()),
  additionalGids: Type.Optional(Type.Array(Type.Integer())),
});
export type CdiEdits = Static<typeof Edits>;

const Spec = Type.Object({
  cdiVersion: Type.String(),
  kind: Type.String(),
  devices: Type.Array(Type.Object({ name: Type.String(), containerEdits: Edits })),
  containerEdits: Type.Optional(Edits),
});
export type CdiSpec = Static<typeof Spec>;

const kind = /^[a-zA-Z][\w.-]*\/[a-zA-Z][\w-]*$/;
const deviceName = /^[a-zA-Z0-9]([\w.:-]*[a-zA-Z0-9])?$/;
const hookNames = ['prestart', 'createRuntime', 'createContainer', 'startContainer', 'poststart', 'poststop'] as const;
export type HookName = (typeof hookNames)[number];

export const isHookName = (name: string): name is HookName => hookNames.some((known) => known === name);

/** @throws InvalidParameter for what is no specification */
export function readCdiSpec(value: unknown): CdiSpec {
  const spec = decode(Spec, value, 'CDI specification');
  if (!/^v?[01]\.\d+\.\d+$/.test(spec.cdiVersion)) throw invalidParameter(`invalid CDI version ${spec.cdiVersion}`);
  if (!kind.test(spec.kind)) throw invalidParameter(`invalid CDI kind ${JSON.stringify(spec.kind)}`);
  const names = new Set<string>();
  for (const { name, containerEdits } of spec.devices) {
    if (!deviceName.test(name)) throw invalidParameter(`invalid CDI device name ${JSON.stringify(name)}`);
    if (names.has(name)) throw invalidParameter(`invalid spec, multiple device ${JSON.stringify(name)}`);
    names.add(name);
    checkEdits(containerEdits);
  }
  if (spec.containerEdits) checkEdits(spec.containerEdits);
  return spec;
}

function checkEdits({ env = [], deviceNodes = [], hooks = [], mounts = [] }: CdiEdits): void {
  for (const variable of env) {
    if (!/^[^=]+=/.test(variable)) throw invalidParameter(`invalid environment variable ${JSON.stringify(variable)}`);
  }
  for (const { path, permissions = '', type = '' } of deviceNodes) {
    if (path === '') throw invalidParameter('invalid (empty) device path');
    if (!/^[rwm]*$/.test(permissions)) throw invalidParameter(`device ${path}: invalid permissions ${permissions}`);
    if (!/^[bcup]?$/.test(type)) throw invalidParameter(`device ${path}: invalid type ${type}`);
  }
  for (const { hookName, path } of hooks) {
    if (!isHookName(hookName)) throw invalidParameter(`invalid hook name ${JSON.stringify(hookName)}`);
    if (path === '') throw invalidParameter(`invalid hook ${hookName}, empty path`);
  }
  for (const { hostPath, containerPath } of mounts) {
    if (hostPath === '' || containerPath === '') throw invalidParameter('invalid mount, empty path');
  }
}
