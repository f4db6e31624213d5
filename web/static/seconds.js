// How a number of seconds is said to people.

export function seconds(count) {
  if (count < 0.1) return "< 0.1 s";
  if (count < 10) return `${Number(count.toFixed(1))} s`;
  if (count < 100) return `${Math.round(count)} s`;
  if (count < 5400) return `${Math.round(count / 60)} min`;
  return `${Number((count / 3600).toFixed(1))} h`;
}
