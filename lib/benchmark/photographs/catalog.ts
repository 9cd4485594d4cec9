/**
 * What is known about the published sets: who publishes them, how many images they have, how to ask about them, and the
 * paper's division.
 */
import * as path from "node:path";
import { isPublishedName, isSetName, type PublishedName, type SetName } from "../../formats/set-names";
import { repositoryRoot } from "../../util/root";
import type { Portion } from "./types";

/** Facts of any set that has a reader of its own. */
export interface PublishedFacts {
  title: string;
  publisher: string;
  /** Title of the page that offers it. */
  page: string;
  url: string;
  /** What to put below `data/sets/<name>`, as the publisher packs it. */
  unpack: string;
  /** How to get it where the page alone is not enough; null where it is. */
  how: string | null;
  subcategories: number;
  /** Images of each portion, as published. */
  published: Readonly<Record<Portion, number>>;
}

/** Facts of one of the paper's six sets. */
export interface SetFacts extends PublishedFacts {
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
    how: null,
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
    how: null,
    subcategories: 200,
    published: { train: 5994, validation: 0, test: 5794 },
    paper: { seen: 120, unseen: 80, seenImages: 3483, unseenImages: 2311 },
  },
  car: {
    title: "Stanford Cars",
    publisher: "AI Lab, Stanford University",
    page: "Cars Dataset (the page is gone)",
    url: "https://ai.stanford.edu/~jkrause/cars/car_dataset.html",
    unpack: "cars_train/, cars_test/, devkit/ and cars_test_annos_withlabels.mat",
    how: "the publisher's page is gone; people use the Kaggle mirror stanford-cars-dataset of jessicali9530 for the images, and for the devkit and cars_test_annos_withlabels.mat the links in issue 7545 of the GitHub repository pytorch/vision; the mirror's doubled folders may stay as they are",
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
    how: null,
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
    how: null,
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
    how: null,
    subcategories: 37,
    published: { train: 3680, validation: 0, test: 3669 },
    paper: { seen: 22, unseen: 15, seenImages: 2176, unseenImages: 1493 },
  },
};

/** Where the image sets lie unless told otherwise; ignored by git. */
export function setsFolder(): string {
  return path.join(repositoryRoot(), "data", "sets");
}

/** Where the Grocery Store Dataset is cloned from. */
const GROCERY_CLONE = "git clone https://github.com/marcusklasson/GroceryStoreDataset data/sets/grocery";

/** Sets that the paper does not use. */
const OTHERS: Readonly<Record<Exclude<PublishedName, SetName>, PublishedFacts>> = {
  grocery: {
    title: "Grocery Store Dataset",
    publisher: "M. Klasson, C. Zhang and H. Kjellström (WACV 2019; MIT licence)",
    page: "GroceryStoreDataset",
    url: "https://github.com/marcusklasson/GroceryStoreDataset",
    unpack: "the clone, or its dataset/ (train/, val/, test/, train.txt, val.txt, test.txt, classes.csv)",
    how: GROCERY_CLONE,
    subcategories: 81,
    published: { train: 2640, validation: 296, test: 2485 },
  },
};

/** The facts of a set that has a reader of its own. */
export function factsOf(name: PublishedName): PublishedFacts {
  return isSetName(name) ? SETS[name] : OTHERS[name];
}

/** Where to get a published set, as the end of a sentence. */
export function whereToGet(name: PublishedName): string {
  const { publisher, page, url, how } = factsOf(name);
  if (how === null) return `get it from ${publisher}, "${page}" (${url})`;
  return how === GROCERY_CLONE ? `get it with: ${how}` : `${how} (publisher: ${publisher}, ${url})`;
}

/** A question of the release about each set, for images that it has no row of. */
export const SET_QUESTIONS: Readonly<Record<SetName, string>> = {
  aircraft: "What type of aircraft is shown in the image?",
  bird: "What bird species is visible in this image?",
  car: "What type of car is shown in the image?",
  dog: "What type of dog is this?",
  flower: "What type of flower is shown in the image?",
  pet: "What type of pet is shown in the image?",
};

const GROCERY_QUESTIONS: Readonly<Record<string, { question: string; kind: string }>> = {
  Fruit: { question: "What type of fruit is shown in the image?", kind: "fruit" },
  Packages: { question: "What packaged product is shown in the image?", kind: "packaged product" },
  Vegetables: { question: "What type of vegetable is shown in the image?", kind: "vegetable" },
};

/** How a set is spoken of. */
export interface SetDescription {
  title: string;
  /** What is asked about an image of the domain. */
  question(domain: string): string;
  /** The domain in a word or two, for a teacher. */
  kind(domain: string): string;
}

/**
 * A set of folders: by its super-categories, which are words of its maker; one that has none has its own name as its
 * domain.
 */
function folderDescription(name: string): SetDescription {
  const word = (domain: string): string => domain.toLowerCase();
  return {
    title: name,
    question: (domain) => (domain === name ? "What is this?" : `What kind of ${word(domain)} is this?`),
    kind: (domain) => (domain === name ? "object" : word(domain)),
  };
}

/**
 * Title, question and kind of any set.
 * @param name `ImageSet.name`
 */
export function setDescription(name: string): SetDescription {
  if (!isPublishedName(name)) return folderDescription(name);
  const { title } = factsOf(name);
  if (isSetName(name))
    return { title, question: () => SET_QUESTIONS[name], kind: () => (name === "pet" ? "cat or dog" : name) };
  const other = folderDescription(name);
  const of = (domain: string) => (Object.hasOwn(GROCERY_QUESTIONS, domain) ? GROCERY_QUESTIONS[domain] : null);
  return {
    title,
    question: (domain) => of(domain)?.question ?? other.question(domain),
    kind: (domain) => of(domain)?.kind ?? other.kind(domain),
  };
}
