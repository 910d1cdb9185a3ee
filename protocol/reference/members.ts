/** JSON Schema as far as contracts use it (`protocol/schema.ts`). */
export interface JsonSchema {
  readonly type?: string;
  readonly const?: unknown;
  readonly anyOf?: readonly JsonSchema[];
  readonly items?: JsonSchema;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly patternProperties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly description?: string;
  readonly 'x-negotiated'?: boolean;
}

/** A member of a message, as a line of a table. */
export interface Member {
  /** From the top: `Volumes[].Name`. */
  readonly path: string;
  readonly type: string;
  readonly required: boolean;
  readonly negotiated: boolean;
  readonly description: string;
}

/** Every member of an object, those of inner objects right after the one that holds them. */
export function membersOf(schema: JsonSchema, prefix = ''): Member[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, member]) => [
    {
      path: prefix + name,
      type: typeName(member),
      required: schema.required?.includes(name) ?? false,
      negotiated: member['x-negotiated'] === true,
      description: member.description ?? '',
    },
    ...inner(member, prefix + name),
  ]);
}

function inner(schema: JsonSchema, path: string): Member[] {
  if (schema.properties) return membersOf(schema, `${path}.`);
  if (schema.items) return inner(schema.items, `${path}[]`);
  return (schema.anyOf ?? []).flatMap((one) => inner(one, path));
}

function typeName(schema: JsonSchema): string {
  if (schema.anyOf) return schema.anyOf.map(typeName).join(' or ');
  if (schema.const !== undefined) return `\`${JSON.stringify(schema.const)}\``;
  if (schema.items) return `list of ${typeName(schema.items)}`;
  const [values] = Object.values(schema.patternProperties ?? {});
  if (values) return `map of ${typeName(values)}`;
  return schema.type ?? 'any';
}
