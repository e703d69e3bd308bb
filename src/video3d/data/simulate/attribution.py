"""Who made the models: the attribution that CC-BY asks for, and what the library holds."""

from pathlib import Path
from typing import Any

from video3d.data.simulate.asset import AssetLibrary
from video3d.data.simulate.asset_cache import FEW, convert_furniture, load_library, progress_bar
from video3d.data.simulate.sh3f import INSTALL, find_furniture
from video3d.replaced import replaced
from video3d.types import InputError

_TERMS = {
    "CC0-1.0": "https://creativecommons.org/publicdomain/zero/1.0/",
    "CC-BY-3.0": "https://creativecommons.org/licenses/by/3.0/",
    "CC-BY-3.0-US": "https://creativecommons.org/licenses/by/3.0/us/",
}
_SOURCES = {
    "blendswap-cc-0": "Blend Swap models, public domain (www.blendswap.com)",
    "blendswap-cc-by": "Blend Swap models, CC-BY (www.blendswap.com)",
    "katorlegaz": "Kator Legaz models (Andrew Kator and Jennifer Legaz)",
    "reallusion": "Reallusion human models (www.reallusion.com)",
    "scopia": "Scopia models (Scopia Visual Interfaces Systems, eTeks)",
}

ALL_MADE_HERE = "All models are made by video3d (CC0-1.0)."
"""What ``ATTRIBUTION.md`` says where nobody else has to be named."""


def attribution(library: AssetLibrary) -> str:
    """Markdown: every model that was not made here with its maker, licence and source, and what was changed.

    Belongs beside any picture made with them.
    """
    lines = ["# Attribution", ""]
    foreign = [asset for asset in library.assets if not asset.asset_id.startswith("primitive/")]
    if not foreign:
        return "\n".join([*lines, ALL_MADE_HERE, ""])
    lines += [
        "Models of the furniture libraries of Sweet Home 3D (www.sweethome3d.com), packaged and in part converted by Emmanuel",
        "Puybaret / eTeks. Changed here: scaled, turned, reduced to fewer triangles, textures reduced to 256 pixels.",
        "All other models are made by video3d (CC0-1.0).",
    ]
    by_source: dict[str, list[tuple[str, str, str, str]]] = {}
    for asset in foreign:
        source, _, number = asset.asset_id.partition("/")
        by_source.setdefault(source, []).append((asset.name, number, asset.creator, asset.licence))
    for source, rows in sorted(by_source.items()):
        licences = sorted({row[3] for row in rows})
        terms = ", ".join(f"[{name}]({_TERMS[name]})" if name in _TERMS else name for name in licences)
        lines += ["", f"## {_SOURCES.get(source, source)}", "", f"Licence: {terms}", ""]
        lines += ["| model | id | made by | licence |", "|---|---|---|---|"]
        lines += ["| " + " | ".join(cell.replace("|", "/") for cell in row) + " |" for row in sorted(rows)]
    return "\n".join([*lines, ""])


def assets_report(
    furniture: Path | None = None, cache_dir: Path | None = None, out: Path | None = None
) -> dict[str, Any]:
    """What there is to furnish scenes with; converts the furniture first where that has not been done yet.

    Args:
        furniture: a .sh3f or a folder of them; None: ``$VIDEO3D_FURNITURE`` or the Debian package.
        cache_dir: where caches are kept; None: the default.
        out: a folder for ``ATTRIBUTION.md``; None: it is not written.

    Returns:
        ``furnished``; ``install`` (what to do where no furniture was found, else None); ``cache`` (folder, megabytes, whether it was
        made now); ``listed``, ``converted``, ``left_out`` (reason to number); numbers of assets ``by_category``, ``by_placement``,
        ``by_licence``; ``held_out``; ``made_here``; ``attribution`` (path or None).

    Errors: ``InputError`` for furniture that is named and absent or damaged, and an ``out`` that cannot be written.
    """
    if out is not None and out.exists() and not out.is_dir():
        raise InputError(out, expected="a folder", got="a file", do="name another")
    source = find_furniture(furniture)
    conversion = None
    if source is not None:
        with progress_bar() as progress:
            conversion = convert_furniture(source, cache_dir, progress=progress)
    library = load_library(cache_dir, furniture)

    def counted(values: list[str]) -> dict[str, int]:
        return {value: values.count(value) for value in sorted(set(values))}

    report: dict[str, Any] = {
        "furnished": library.furnished,
        "install": INSTALL if library.notes else None,
        "cache": None,
        "listed": 0,
        "converted": 0,
        "left_out": {},
        "assets": len(library.assets),
        "made_here": sum(asset.asset_id.startswith("primitive/") for asset in library.assets),
        "made_here_where_fewer_than": FEW,
        "held_out": sum(asset.held_out for asset in library.assets),
        "by_category": counted([asset.category for asset in library.assets]),
        "by_placement": counted([asset.placement for asset in library.assets]),
        "by_licence": counted([asset.licence for asset in library.assets]),
        "attribution": None,
    }
    if conversion is not None:
        report |= {
            "cache": {
                "folder": str(conversion.folder),
                "megabytes": round(conversion.num_bytes / 1e6, 1),
                "fresh": conversion.fresh,
            },
            "listed": conversion.listed,
            "converted": conversion.converted,
            "left_out": {reason: len(names) for reason, names in conversion.left_out.items()},
        }
    if out is not None:
        path = out / "ATTRIBUTION.md"
        try:
            with replaced(path) as beside:
                beside.write_text(attribution(library), encoding="utf-8")
        except OSError as error:
            raise InputError(
                out, expected="a folder that can be written", got=error.strerror or error, do="name another"
            ) from error
        report["attribution"] = str(path)
    return report
