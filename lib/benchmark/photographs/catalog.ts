/** What is known about the six sets: who publishes them, how many images they have, and the paper's division of them. */
import * as path from "node:path";
import { repositoryRoot } from "../../util/root";
import type { Portion } from "./types";
import type { SetName } from "../../formats/set-names";

/** One set's facts. */
export interface SetFacts {
  title: string;
  publisher: string;
  /** Title of the page that offers it. */
  page: string;
  url: string;
  /** What to put below `data/sets/<name>`, as the publisher packs it. */
  unpack: string;
  subcategories: number;
  /** Images of each portion, as published. */
  published: Readonly<Record<Portion, number>>;
  /** The paper's: seen and unseen sub-categories, and test images of each. */
  paper: { seen: number; unseen: number; seenImages: number; unseenImages: number };
}

export const SETS: Readonly<Record<SetName, SetFacts>> = {
  aircraft: {
    title: "FGVC-Aircraft",
    publisher: "Visual Geometry Group, University of Oxford",
    page: "FGVC-Aircraft Benchmark",
    url: "https://www.robots.ox.ac.uk/~vgg/data/fgvc-aircraft/",
    unpack: "fgvc-aircraft-2013b/ (data/images, data/images_variant_*.txt, data/variants.txt)",
    subcategories: 100,
    published: { train: 3334, validation: 3333, test: 3333 },
    paper: { seen: 60, unseen: 40, seenImages: 2002, unseenImages: 1331 },
  },
  bird: {
    title: "CUB-200-2011",
    publisher: "Vision Lab, California Institute of Technology",
    page: "Caltech-UCSD Birds-200-2011 (CUB-200-2011)",
    url: "https://www.vision.caltech.edu/datasets/cub_200_2011/",
    unpack: "CUB_200_2011/ (images, images.txt, image_class_labels.txt, train_test_split.txt, classes.txt)",
    subcategories: 200,
    published: { train: 5994, validation: 0, test: 5794 },
    paper: { seen: 120, unseen: 80, seenImages: 3483, unseenImages: 2311 },
  },
  car: {
    title: "Stanford Cars",
    publisher: "AI Lab, Stanford University",
    page: "Cars Dataset",
    url: "https://ai.stanford.edu/~jkrause/cars/car_dataset.html",
    unpack: "cars_train/, cars_test/, devkit/ and cars_test_annos_withlabels.mat",
    subcategories: 196,
    published: { train: 8144, validation: 0, test: 8041 },
    paper: { seen: 117, unseen: 79, seenImages: 4811, unseenImages: 3230 },
  },
  dog: {
    title: "Stanford Dogs",
    publisher: "Vision Lab, Stanford University",
    page: "Stanford Dogs Dataset",
    url: "http://vision.stanford.edu/aditya86/ImageNetDogs/",
    unpack: "Images/ and the lists (train_list.mat, test_list.mat, here or in lists/)",
    subcategories: 120,
    published: { train: 12000, validation: 0, test: 8580 },
    paper: { seen: 72, unseen: 48, seenImages: 5276, unseenImages: 3304 },
  },
  flower: {
    title: "Oxford Flowers-102",
    publisher: "Visual Geometry Group, University of Oxford",
    page: "102 Category Flower Dataset",
    url: "https://www.robots.ox.ac.uk/~vgg/data/flowers/102/",
    unpack: "jpg/, imagelabels.mat and setid.mat",
    subcategories: 102,
    published: { train: 1020, validation: 1020, test: 6149 },
    paper: { seen: 61, unseen: 41, seenImages: 4028, unseenImages: 2121 },
  },
  pet: {
    title: "Oxford-IIIT Pet",
    publisher: "Visual Geometry Group, University of Oxford",
    page: "The Oxford-IIIT Pet Dataset",
    url: "https://www.robots.ox.ac.uk/~vgg/data/pets/",
    unpack: "images/ and annotations/ (list.txt, trainval.txt, test.txt)",
    subcategories: 37,
    published: { train: 3680, validation: 0, test: 3669 },
    paper: { seen: 22, unseen: 15, seenImages: 2176, unseenImages: 1493 },
  },
};

/** Where the image sets lie unless told otherwise; ignored by git. */
export function setsFolder(): string {
  return path.join(repositoryRoot(), "data", "sets");
}

export function setDescription(name: string): {
  title: string;
  question(domain: string): string;
  kind(domain: string): string;
} {
  return { title: name, question: () => "What is this?", kind: () => "object" };
}
