"""python prepare.py ARCHIVE [DIRECTORY]: unpacks the archive of the image, before a wheel is built, for it to embed."""

import shutil
import sys
import tarfile
from pathlib import Path


def unpack(archive: Path, directory: Path) -> None:
    """Makes the directory hold the OCI layout in the archive and nothing else."""
    shutil.rmtree(directory, ignore_errors=True)
    with tarfile.open(archive) as tar:
        for member in tar:
            path = Path(member.name)
            if path.is_absolute() or ".." in path.parts or not (member.isfile() or member.isdir()):
                raise ValueError(f"{archive}: {member.name} has no place in an OCI layout")
            if member.isfile() and path != Path("manifest.json"):  # that is for docker
                (directory / path).parent.mkdir(parents=True, exist_ok=True)
                (directory / path).write_bytes(tar.extractfile(member).read())
    if not (directory / "oci-layout").is_file():
        raise ValueError(f"{archive} holds no OCI layout")


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    unpack(Path(sys.argv[1]), Path(sys.argv[2] if len(sys.argv) == 3 else Path(__file__).parent / "embedded_oci_layout"))
