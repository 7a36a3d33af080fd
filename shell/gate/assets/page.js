// Draws what /api/status and /api/v1/statistics say, every two seconds. No library, nothing from elsewhere.
"use strict";
const byId = (id) => document.getElementById(id);
const make = (tag, className, ...parts) => {
  const node = document.createElement(tag);
  node.className = className;
  node.append(...parts);
  return node;
};
const size = (bytes) => {
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let unit = 0;
  while (bytes >= 1024 && unit < units.length - 1) { bytes /= 1024; unit += 1; }
  return `${unit ? bytes.toFixed(1) : bytes} ${units[unit]}`;
};
const places = (count) => `${count} more ${count === 1 ? "place" : "places"}`;
const safety = (s) => ({
  full: () => ["good", `Safe: any ${places(s.losses_survivable)} may be lost`],
  degraded: () => ["warn", `Readable, not yet full: bears the loss of ${places(s.losses_survivable)}`],
  unavailable: () => ["bad", `${s.packs} packs cannot be read until places return`],
  empty: () => ["good", "Nothing stored yet: acre put PATH"],
})[s.state]();

const verdict = (report) => {
  if (!report.ledger) return ["bad", `The ledger does not answer: ${report.ledger_error}`];
  const up = report.nodes.filter((n) => n.state === "up").length;
  const worst = ["bad", "warn", "good"].find((w) => report.volumes.some((v) => safety(v.safety)[0] === w)) || "good";
  const said = { good: "Everything stored is safe", warn: "Everything can be read, some shards are missing", bad: "Some data cannot be read now" }[worst];
  return [worst, `${said}. ${up} of ${report.nodes.length} nodes answer.`];
};

const draw = (report) => {
  const [className, text] = verdict(report);
  byId("verdict").className = className;
  byId("verdict").textContent = text;
  byId("volumes").replaceChildren(...(report.volumes.length ? report.volumes.map((v) => {
    const [tone, line] = safety(v.safety);
    return make("div", "card", make("b", "", `Volume ${v.contract} (${v.profile})`), make("span", tone, line),
      make("div", "legend", `${v.packs} packs, ${size(v.stored_bytes)} in shards, ${v.places_up} of ${v.places} places answer`));
  }) : [make("div", "card", make("b", "", "No volume yet"), "acre put PATH stores a file or a directory.")]));
  byId("nodes").replaceChildren(...report.nodes.map((n) => {
    const fill = make("i", "");
    fill.style.width = `${n.capacity_bytes ? Math.min(100, (100 * n.used_bytes) / n.capacity_bytes) : 0}%`;
    return make("div", `tile ${n.state}`, make("b", "", `${n.site}, ${n.country}`), n.farm,
      make("div", "legend", n.state === "up" ? `${n.shards} shards · ${size(n.used_bytes)}` : "does not answer"), make("div", "bar", fill));
  }));
  const facts = report.ledger
    ? [["Chain", report.ledger.chain], ["Height", report.ledger.height], ["State root", report.ledger.state_root],
       ["Time", new Date(report.ledger.time_ms).toISOString()], ["Looked at", new Date(report.taken_ms).toISOString()]]
    : [];
  byId("ledger").replaceChildren(...facts.flatMap(([k, v]) => [make("dt", "", k), make("dd", "", String(v))]));
};

const share = (ppm) => `${(ppm / 10000).toFixed(1)} %`;
const drawGrid = (answer, epoch) => {
  const s = answer.item, d = s.decentralisation;
  const facts = [
    ["Nodes", `${s.nodes_active} take contracts, ${s.nodes_draining} drain, ${s.nodes_retired} retired`],
    ["Offered", `${size(s.offered.storage_bytes)}, ${s.offered.cores} cores, ${size(s.offered.memory_bytes)} memory`],
    ["Proven", `${size(s.verified.storage_bytes)}, ${s.verified.cores} cores, ${size(s.verified.memory_bytes)} memory, found by witnesses`],
    ["Reserved", `${size(s.reserved_bytes)} by ${s.contracts_open} open contracts`],
    ["Where", `${s.countries.length} countries: ${s.countries.slice(0, 12).map((c) => `${c.country} ${c.nodes}`).join(", ")}${s.countries.length > 12 ? ", …" : ""}`],
    ["Farmers", `${s.farmers}; the largest has ${share(d.storage.top_1_ppm)} of the bytes, the five largest ${share(d.storage.top_5_ppm)}; ${d.storage.owners_for_half} hold half`],
    ["Validators", `${d.validators} with one vote each; ${d.validators_to_stop} could stop the ledger`],
    ["Epoch", epoch ? `${epoch.number}: ${epoch.nodes} nodes with ${epoch.witnesses_per_node} witnesses each, until ${new Date(epoch.ends_ms).toISOString().slice(11, 19)}` : "not known"],
    ["As of", `block ${answer.height}, heard ${Math.round(answer.age_ms / 1000)} s ago${answer.fresh ? "" : ": old, or still being read"}`],
  ];
  byId("grid").replaceChildren(...facts.flatMap(([k, v]) => [make("dt", "", k), make("dd", "", v)]));
};

const look = async () => {
  try {
    draw(await (await fetch("/api/status")).json());
    const statistics = await fetch("/api/v1/statistics");
    const epoch = await fetch("/api/v1/epochs/current");
    if (statistics.ok) drawGrid(await statistics.json(), epoch.ok ? (await epoch.json()).item : null);
  } catch {
    byId("verdict").className = "bad";
    byId("verdict").textContent = "The gateway does not answer. Is the grid up? acre status";
  }
  setTimeout(look, 2000);
};
look();
