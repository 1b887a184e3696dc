/** Whether its profiles differ: an experiment that defines none has the same empty one under each name. */
export function hasProfiles({ profiles }: { readonly profiles: Readonly<Record<string, unknown>> }): boolean {
  return new Set(Object.values(profiles)).size > 1
}
