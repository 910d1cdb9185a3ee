/** Runs all; when one fails, `cancel` is called, the others are waited for, and the first failure is thrown. */
export async function allOrNone<T>(work: readonly Promise<T>[], cancel: () => void): Promise<T[]> {
  let first: { error: unknown } | undefined;
  const settled = await Promise.all(
    work.map(async (each) => {
      try {
        return [await each];
      } catch (error) {
        first ??= { error };
        cancel();
        return [];
      }
    }),
  );
  if (first) throw first.error;
  return settled.flat();
}
