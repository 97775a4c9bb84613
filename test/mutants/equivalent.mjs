// Trace mutants that change nothing a crash could show, by name, with the reason.
/** @type {Readonly<Record<string, string>>} */
export const equivalentTraceMutants = {}
